"""The pose and the TF frame of one followed person, for Nav2's FollowObject."""

from typing import Any, NamedTuple

import numpy as np
from geometry_msgs.msg import PoseStamped
from poseflow_msgs.srv import Follow
from std_msgs.msg import Header

from poseflow_ros.actions.kinds import Behavior
from poseflow_ros.bridge_config import FollowConfig
from poseflow_ros.poses import TrackState
from poseflow_ros.ros.bridges.body_axes import body_axes
from poseflow_ros.ros.bridges.bridge import Bridge
from poseflow_ros.ros.bridges.transforms import TransformPublisher, pose_message
from poseflow_ros.ros.inputs.received_poses import ReceivedPoses
from poseflow_ros.ros.managed_node import ManagedNode

_WAVING = [Behavior.LEFT_WAVING, Behavior.RIGHT_WAVING]


class Person(NamedTuple):
    """A person of one camera and epoch."""

    camera: str
    epoch: int
    track_id: int

    def __str__(self) -> str:
        return f"person {self.track_id}" + (f" of camera {self.camera}" if self.camera else "")


class FollowBridge(Bridge):
    """Publishes `~/followed_pose` and a TF frame in each image in which the person is located.

    The service `~/follow` chooses the person, or `follow.select` where it was not called. A
    person is followed until the track ends or is not observed for `follow.max_lost_s`.
    """

    def __init__(self, node: ManagedNode[Any], config: FollowConfig) -> None:
        """Create the publishers and the service.

        Raises:
            BridgeError: tf2_msgs is not installed.
        """
        self._logger = node.get_logger()
        self._config = config
        self._pose = node.publisher(PoseStamped, "~/followed_pose")
        self._transforms = TransformPublisher(node)
        service = node.create_service(Follow, "~/follow", self._on_follow)
        node.resources.callback(node.destroy_service, service)
        self._latest: dict[str, ReceivedPoses] = {}
        self._followed: Person | None = None
        self._seen_s = 0.0

    def publish(self, poses: ReceivedPoses) -> None:
        """Publish the pose of the followed person, if it is known in this image."""
        self._latest[poses.frame.camera] = poses
        self._check_followed(poses)
        if self._followed is None and self._config.select != "none":
            self._select(poses)
        row = self._row(poses)
        if row is None or row not in poses.located:
            return
        frame = poses.frame
        origins, orientations = body_axes(frame.points[[row]], frame.positions[[row]], frame.up)
        header = Header(stamp=poses.message.header.stamp, frame_id=poses.frame_3d)
        pose = pose_message(origins[0], orientations[0])
        self._pose.publish(PoseStamped(header=header, pose=pose))
        self._transforms.publish(header, [self._config.frame], origins, orientations)

    def silence(self, camera: str) -> None:
        """Follow nobody of a camera that stopped."""
        self._end(camera, "the camera's tracked poses stopped")

    def forget(self, camera: str) -> None:
        """Follow nobody of a camera whose tracks ended."""
        self._end(camera, "all tracks of the camera ended")

    def close(self) -> None:
        """Follow nobody."""
        self._latest.clear()
        self._followed = None

    def _row(self, poses: ReceivedPoses) -> int | None:
        """Return the followed person's row in an image; None where it is not confirmed there."""
        followed = self._followed
        if followed is None or followed[:2] != (poses.frame.camera, poses.frame.epoch):
            return None
        rows = poses.confirmed
        found = rows[poses.frame.track_ids[rows] == followed.track_id]
        return int(found[0]) if len(found) else None

    def _check_followed(self, poses: ReceivedPoses) -> None:
        """Stop following a person whose track ended or who is not observed for too long."""
        followed, frame = self._followed, poses.frame
        if followed is None or followed.camera != frame.camera:
            return
        if self._row(poses) is not None:
            self._seen_s = frame.stamp_s
            return
        lost_s = frame.stamp_s - self._seen_s
        if followed.track_id in frame.track_ids[frame.removed]:
            self._stop("the track ended")
        elif lost_s > self._config.max_lost_s:
            self._stop(f"not observed for {lost_s:.1f} s")

    def _select(self, poses: ReceivedPoses) -> None:
        """Follow the nearest person, or the nearest of those who wave."""
        frame, rows = poses.frame, poses.located
        if self._config.select == "waving":
            rows = np.array([row for row in rows.tolist() if _waves(poses, row)], np.int64)
        if len(rows):
            nearest = rows[np.argmin(np.linalg.norm(frame.positions[rows], axis=1))]
            self._start(Person(frame.camera, frame.epoch, int(frame.track_ids[nearest])), frame)

    def _start(self, person: Person, frame: Any) -> None:
        self._followed, self._seen_s = person, frame.stamp_s
        self._logger.info(f"following {person}")

    def _end(self, camera: str, reason: str) -> None:
        self._latest.pop(camera, None)
        if self._followed is not None and self._followed.camera == camera:
            self._stop(reason)

    def _stop(self, reason: str) -> None:
        self._logger.info(f"{self._followed} is no longer followed: {reason}")
        self._followed = None

    def _on_follow(self, request: Follow.Request, response: Follow.Response) -> Follow.Response:
        """Follow the requested person, or nobody in particular."""
        if request.track_id == 0:
            self._followed = None
            response.success, response.message = True, f"follow.select: {self._config.select}"
            return response
        people = [
            (Person(camera, poses.frame.epoch, int(track_id)), poses)
            for camera, poses in self._latest.items()
            for track_id, state in zip(poses.frame.track_ids, poses.frame.states, strict=True)
            if state in (int(TrackState.CONFIRMED), int(TrackState.LOST))
        ]
        named = [
            each
            for each in people
            if each[0].track_id == request.track_id and request.camera in ("", each[0].camera)
        ]
        if len(named) == 1:
            person, poses = named[0]
            self._start(person, poses.frame)
            response.success, response.message = True, f"following {person}"
        else:
            problem = "is tracked by several cameras; name one" if named else "is not tracked"
            known = ", ".join(str(person) for person, _ in people) or "nobody"
            wanted = Person(request.camera, 0, request.track_id)
            response.message = f"{wanted} {problem}; tracked: {known}"
        return response


def _waves(poses: ReceivedPoses, row: int) -> bool:
    index = poses.behavior_rows.get(int(poses.frame.track_ids[row]))
    return index is not None and bool(poses.behaviors.active[index, _WAVING].any())
