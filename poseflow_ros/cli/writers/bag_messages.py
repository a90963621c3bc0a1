"""The messages of the node for one camera's images, made without ROS."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.cli.writers.message_definitions import MessageDefinitions
from poseflow_ros.imaging.annotate import track_color
from poseflow_ros.poses import FloatArray, TrackedPoses
from poseflow_ros.ros_data.depth import People3D
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.spatial.marker_shapes import MarkerShape

_LONGEST_S = 2**31 - 1
_NS_PER_S = 10**9


@dataclass(frozen=True, slots=True)
class MessageHeader:
    """The header of a message.

    Attributes:
        stamp_ns: nanoseconds.
        frame_id: the frame of its coordinates.
    """

    stamp_ns: int
    frame_id: str


class BagMessages:
    """Makes the messages of one camera."""

    def __init__(self, definitions: MessageDefinitions, camera: str, skeleton: Skeleton) -> None:
        self._make = definitions.make
        self._camera = camera
        self._skeleton = skeleton
        store = definitions.store
        # Made for every keypoint, with all of their fields.
        self._keypoint = store.types["poseflow_msgs/msg/Keypoint"]
        self._keypoint_3d = store.types["poseflow_msgs/msg/Keypoint3D"]
        self._point = store.types["geometry_msgs/msg/Point"]
        self._point_32 = store.types["geometry_msgs/msg/Point32"]
        marker = store.types["visualization_msgs/msg/Marker"]
        self._marker_types = {
            "skeleton": marker.LINE_LIST,
            "joints": marker.SPHERE_LIST,
            "labels": marker.TEXT_VIEW_FACING,
        }
        self._delete = marker.DELETE

    def skeleton(self) -> Any:
        """Return the SkeletonDefinition."""
        skeleton = self._skeleton
        return self._make(
            "poseflow_msgs/msg/SkeletonDefinition",
            name=skeleton.name,
            keypoint_names=list(skeleton.keypoint_names),
            edges=np.array(skeleton.edges, np.uint16).ravel(),
            flip_pairs=np.array(skeleton.flip_pairs, np.uint16).ravel(),
            oks_sigmas=np.array(skeleton.oks_sigmas, np.float32),
        )

    def poses(
        self,
        tracked: TrackedPoses,
        located: People3D | None,
        header: MessageHeader,
        size: tuple[int, int],
        **counts: int,
    ) -> Any:
        """Return the TrackedPoseArray of an image.

        Args:
            tracked: the tracks to publish.
            located: their 3D positions, if any.
            header: of the image.
            size: (height, width) of the image, pixels.
            counts: the fields epoch, sequence and dropped_since_last.
        """
        people = list(self._people(tracked))
        if located is not None:
            self._set_positions(people, located)
        return self._make(
            "poseflow_msgs/msg/TrackedPoseArray",
            header=self._header(header),
            camera=self._camera,
            skeleton=self._skeleton.name,
            frame_3d="" if located is None else located.frame,
            image_width=size[1],
            image_height=size[0],
            poses=people,
            **counts,
        )

    def markers(
        self,
        shapes: list[MarkerShape],
        gone: list[tuple[str, int]],
        header: MessageHeader,
        lifetime_s: float,
        texts: Mapping[int, str],
    ) -> Any:
        """Return the MarkerArray of an image.

        Args:
            shapes: the markers.
            gone: namespaces and track ids of markers to delete.
            header: of the image.
            lifetime_s: of the markers, seconds.
            texts: of the labels, by track id.
        """
        head = self._header(header)
        markers = [self._marker(head, ns=ns, id=i, action=self._delete) for ns, i in gone]
        for shape in shapes:
            marker = self._shown_marker(shape, head, lifetime_s)
            if shape.namespace == "labels":
                marker.text = texts[shape.track_id]
            markers.append(marker)
        return self._make("visualization_msgs/msg/MarkerArray", markers=markers)

    def jpeg(self, data: NDArray[np.uint8], header: MessageHeader) -> Any:
        """Return the CompressedImage of an encoded image."""
        return self._make(
            "sensor_msgs/msg/CompressedImage",
            header=self._header(header),
            format="rgb8; jpeg compressed bgr8",
            data=data,
        )

    def _header(self, header: MessageHeader) -> Any:
        sec, nanosec = divmod(header.stamp_ns, _NS_PER_S)
        stamp = self._make("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
        return self._make("std_msgs/msg/Header", stamp=stamp, frame_id=header.frame_id)

    def _duration(self, seconds: float) -> Any:
        sec, nanosec = divmod(round(min(seconds, _LONGEST_S) * _NS_PER_S), _NS_PER_S)
        return self._make("builtin_interfaces/msg/Duration", sec=sec, nanosec=nanosec)

    def _people(self, tracked: TrackedPoses) -> Iterator[Any]:
        poses, nan = tracked.poses, dict.fromkeys("xyz", math.nan)
        points = np.concatenate([poses.keypoints, poses.keypoint_scores[:, :, None]], axis=2)
        for i in range(len(tracked)):
            yield self._make(
                "poseflow_msgs/msg/TrackedPose",
                track_id=int(tracked.track_ids[i]),
                state=int(tracked.states[i]),
                score=float(poses.scores[i]),
                match_score=float(tracked.match_scores[i]),
                age=self._duration(float(tracked.ages_s[i])),
                time_since_update=self._duration(float(tracked.time_since_update_s[i])),
                hits=int(tracked.hits[i]),
                box=poses.boxes[i].astype(np.float32),
                velocity=tracked.velocities[i].astype(np.float32),
                keypoints=[self._keypoint(x=x, y=y, score=s) for x, y, s in points[i].tolist()],
                position=self._make("geometry_msgs/msg/Point", **nan),
                velocity_3d=self._make("geometry_msgs/msg/Vector3", **nan),
            )

    def _set_positions(self, people: list[Any], located: People3D) -> None:
        """Set the fields keypoints_3d, position and velocity_3d."""
        points = located.points
        rows = np.concatenate([points.points, points.stddevs[..., None]], axis=2).tolist()
        for i, person in enumerate(people):
            person.keypoints_3d = [
                self._keypoint_3d(point=self._point_32(x=x, y=y, z=z), stddev=stddev)
                for x, y, z, stddev in rows[i]
            ]
            person.position = self._make("geometry_msgs/msg/Point", **_xyz(points.positions[i]))
            velocity = _xyz(located.velocities[i])
            person.velocity_3d = self._make("geometry_msgs/msg/Vector3", **velocity)

    def _marker(self, header: Any, **fields: Any) -> Any:
        marker = self._make("visualization_msgs/msg/Marker", header=header, **fields)
        marker.pose.orientation.w = 1.0
        return marker

    def _shown_marker(self, shape: MarkerShape, header: Any, lifetime_s: float) -> Any:
        marker = self._marker(
            header,
            ns=shape.namespace,
            id=shape.track_id,
            type=self._marker_types[shape.namespace],
            lifetime=self._duration(lifetime_s),
        )
        color = track_color(shape.track_id)
        marker.color = self._make(
            "std_msgs/msg/ColorRGBA", **dict(zip("rgb", color, strict=True)), a=1.0
        )
        marker.scale.z = shape.size_m
        points = [self._point(x=x, y=y, z=z) for x, y, z in shape.points.tolist()]
        if shape.namespace == "labels":
            (marker.pose.position,) = points
        else:
            marker.scale.x = marker.scale.y = shape.size_m
            marker.points = points
        return marker


def _xyz(row: FloatArray) -> dict[str, float]:
    return dict(zip("xyz", row.tolist(), strict=True))
