"""ROS4HRI (REP 155): bodies, their skeletons, postures, gestures, positions and TF frames."""

from typing import Any

import numpy as np
from geometry_msgs.msg import PointStamped, TwistStamped
from poseflow_msgs.msg import TrackedPose
from std_msgs.msg import Header

from poseflow_ros.actions.kinds import Behavior, Posture
from poseflow_ros.poses import FloatArray
from poseflow_ros.ros.bridges.body_axes import body_axes
from poseflow_ros.ros.bridges.bridge import Bridge, import_messages
from poseflow_ros.ros.bridges.transforms import TransformPublisher
from poseflow_ros.ros.inputs.received_poses import ReceivedPoses
from poseflow_ros.ros.managed_node import ManagedNode
from poseflow_ros.ros.publisher import RELIABLE

_BODIES = "/humans/bodies"
# The index in COCO-17 of each keypoint of ROS4HRI's skeleton; 17 is the neck, between the
# shoulders.
_NECK = 17
_SHOULDERS = [5, 6]
_SKELETON = [0, _NECK, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 1, 2, 3, 4]
# A body whose track's end was not received is removed this long after it was last seen.
_FORGOTTEN_S = 60.0


class HriBridge(Bridge):
    """Publishes everybody who is confirmed and seen as a body.

    A body's topics exist before its id is listed. A lost person is not listed, but keeps id and
    topics until the track is removed.
    """

    def __init__(self, node: ManagedNode[Any]) -> None:
        """Create the publishers that all bodies share.

        Raises:
            BridgeError: hri_msgs or tf2_msgs is not installed.
        """
        self._node = node
        self._messages = import_messages("hri_msgs")
        ids, topic = self._messages.IdsList, f"{_BODIES}/tracked"
        self._tracked = node.publisher(ids, topic)
        self._transforms = TransformPublisher(node)
        self._bodies: dict[tuple[str, int, int], _Body] = {}
        self._listed: dict[str, list[str]] = {}

    def publish(self, poses: ReceivedPoses) -> None:
        """Publish the bodies of an image and the list of all bodies."""
        frame = poses.frame
        self._remove_ended(poses)
        rows = poses.confirmed.tolist()
        bodies = [self._body(frame.camera, frame.epoch, poses.person(row)) for row in rows]
        self._list(poses.message.header, frame.camera, [body.id for body in bodies])
        for row, body in zip(rows, bodies, strict=True):
            body.publish(poses, row)
        names = {row: f"body_{body.id}" for row, body in zip(rows, bodies, strict=True)}
        axes = body_axes(frame.points[poses.located], frame.positions[poses.located], frame.up)
        self._transforms.publish(
            Header(stamp=poses.message.header.stamp, frame_id=poses.frame_3d),
            [names[row] for row in poses.located.tolist()],
            *axes,
        )

    def silence(self, camera: str) -> None:
        """Publish that no body of a camera is tracked."""
        if self._listed.get(camera):
            stamp = self._node.get_clock().now().to_msg()
            self._list(Header(stamp=stamp), camera, [])

    def forget(self, camera: str) -> None:
        """Publish that no body of a camera is tracked, and destroy the bodies' topics."""
        self.silence(camera)
        for key in [key for key in self._bodies if key[0] == camera]:
            self._bodies.pop(key).close()

    def close(self) -> None:
        """Forget the bodies of all cameras."""
        for camera in list(self._listed):
            self.forget(camera)

    def _list(self, header: Header, camera: str, ids: list[str]) -> None:
        """Publish the ids of the bodies of all cameras."""
        self._listed[camera] = ids
        everybody = [each for listed in self._listed.values() for each in listed]
        self._tracked.publish(self._messages.IdsList(header=header, ids=everybody))

    def _body(self, camera: str, epoch: int, person: TrackedPose) -> "_Body":
        key = (camera, epoch, person.track_id)
        if key not in self._bodies:
            number = f"{epoch}_{person.track_id}"
            body_id = f"b_{camera}_{number}" if camera else f"b{number}"
            self._bodies[key] = _Body(self._node, self._messages, body_id)
        return self._bodies[key]

    def _remove_ended(self, poses: ReceivedPoses) -> None:
        """Destroy the bodies of tracks that were removed or not seen for a long time."""
        frame = poses.frame
        removed = set(frame.track_ids[frame.removed].tolist())
        for key, body in list(self._bodies.items()):
            camera, _, track_id = key
            forgotten = frame.stamp_s - body.seen_s > _FORGOTTEN_S
            if camera == frame.camera and (track_id in removed or forgotten):
                del self._bodies[key]
                body.close()


class _Body:
    """The publishers of one body."""

    def __init__(self, node: ManagedNode[Any], messages: Any, body_id: str) -> None:
        self.id = body_id
        self.seen_s = -np.inf
        """Stamp of the last image in which it was seen, seconds."""
        self._node = node
        self._messages = messages
        types = {
            "roi": messages.NormalizedRegionOfInterest2D,
            "skeleton2d": messages.Skeleton2D,
            "posture": messages.BodyPosture,
            "gesture": messages.Gesture,
            "position": PointStamped,
            "velocity": TwistStamped,
        }
        self._publishers = {
            name: node.create_publisher(kind, f"{_BODIES}/{body_id}/{name}", RELIABLE)
            for name, kind in types.items()
        }

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    def publish(self, poses: ReceivedPoses, row: int) -> None:
        """Publish the body as it is in a row of an image."""
        self.seen_s = poses.frame.stamp_s
        header = poses.message.header
        size = np.array(poses.frame.image_size[::-1], float)
        if roi := self._wanted("roi"):
            roi.publish(self._roi(header, poses.person(row), size))
        if skeleton := self._wanted("skeleton2d"):
            skeleton.publish(self._skeleton(poses, row, size))
        self._publish_behavior(poses, row)
        located = Header(stamp=header.stamp, frame_id=poses.frame_3d)
        position, velocity = poses.frame.positions[row], poses.frame.velocities[row]
        if np.isfinite(position).all() and (publisher := self._wanted("position")):
            message = PointStamped(header=located)
            message.point.x, message.point.y, message.point.z = position.tolist()
            publisher.publish(message)
        if np.isfinite(velocity).all() and (publisher := self._wanted("velocity")):
            twist = TwistStamped(header=located)
            linear = twist.twist.linear
            linear.x, linear.y, linear.z = velocity.tolist()
            publisher.publish(twist)

    def _wanted(self, name: str) -> Any:
        """Return the publisher of a topic; None if nobody subscribes."""
        publisher = self._publishers[name]
        return publisher if publisher.get_subscription_count() else None

    def _roi(self, header: Header, person: TrackedPose, size: FloatArray) -> Any:
        corners = _normalized(np.array(person.box, float).reshape(2, 2), size).clip(0, 1)
        (xmin, ymin), (xmax, ymax) = corners.tolist()
        return self._messages.NormalizedRegionOfInterest2D(
            header=header, xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax, c=person.score
        )

    def _skeleton(self, poses: ReceivedPoses, row: int, size: FloatArray) -> Any:
        keypoints, scores = poses.frame.keypoints[row], poses.frame.scores[row]
        neck = keypoints[_SHOULDERS].mean(axis=0)
        # A skeleton with more keypoints than COCO's 17 begins with those.
        points = np.vstack([keypoints[:_NECK], neck])[_SKELETON]
        confidence = np.append(scores[:_NECK], scores[_SHOULDERS].min())[_SKELETON]
        points = _normalized(points, size)
        inside = ((points >= 0) & (points <= 1)).all(axis=1)
        rows = np.column_stack([points.clip(0, 1), confidence * inside]).tolist()
        point = self._messages.NormalizedPointOfInterest2D
        skeleton = [point(x=x, y=y, c=c) for x, y, c in rows]
        return self._messages.Skeleton2D(header=poses.message.header, skeleton=skeleton)

    def _publish_behavior(self, poses: ReceivedPoses, row: int) -> None:
        """Publish posture and gesture."""
        index = poses.behavior_rows.get(int(poses.frame.track_ids[row]))
        if index is None:  # more people than `behaviors.max_people`
            return
        header, messages = poses.message.header, self._messages
        posture = _posture(messages.BodyPosture, int(poses.behaviors.postures[index]))
        if publisher := self._wanted("posture"):
            publisher.publish(messages.BodyPosture(header=header, posture=posture))
        gesture = _gesture(messages.Gesture, poses.behaviors.active[index])
        if publisher := self._wanted("gesture"):
            publisher.publish(messages.Gesture(header=header, gesture=gesture))


def _normalized(points: FloatArray, size: FloatArray) -> FloatArray:
    """Return (N, 2) pixels as shares of the image's width and height, from its upper left corner.

    Half a pixel is added: the center of the first pixel is (0, 0).
    """
    return (points + 0.5) / size


def _posture(kind: Any, posture: int) -> int:
    """Return the constant of hri_msgs/BodyPosture."""
    constants = {
        Posture.STANDING: kind.STANDING,
        Posture.SITTING: kind.SITTING,
        Posture.CROUCHING: kind.CROUCHING,
        Posture.LYING: kind.LAYING,
    }
    return int(constants.get(Posture(posture), kind.OTHER))


def _gesture(kind: Any, active: Any) -> int:
    """Return the constant of hri_msgs/Gesture; waving before raised hands."""
    if active[Behavior.LEFT_WAVING] or active[Behavior.RIGHT_WAVING]:
        return int(kind.WAVING)
    left, right = active[Behavior.LEFT_HAND_RAISED], active[Behavior.RIGHT_HAND_RAISED]
    if left and right:
        return int(kind.BOTH_HANDS_RAISED)
    if left:
        return int(kind.LEFT_HAND_RAISED)
    return int(kind.RIGHT_HAND_RAISED if right else kind.OTHER)
