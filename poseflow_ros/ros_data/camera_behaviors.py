"""The behaviors of the people of one camera, from their 2D poses and 3D positions."""

from dataclasses import replace

import numpy as np

from poseflow_ros.actions.behavior_labels import check_skeleton
from poseflow_ros.actions.behaviors import BehaviorFrame, BehaviorRecognizer
from poseflow_ros.actions.frame import UP_OPTICAL, PoseFrame
from poseflow_ros.poses import FloatArray, TrackedPoses
from poseflow_ros.ros_data.depth import People3D
from poseflow_ros.skeletons.skeleton import Skeleton


class CameraBehaviors:
    """Recognizes behaviors for markers, annotated images and files."""

    def __init__(self, skeleton: Skeleton, up: FloatArray) -> None:
        """Make a recognizer.

        Args:
            skeleton: of the people.
            up: (3,) the image's upward direction in the camera's optical frame.

        Raises:
            ConfigError: the skeleton has other keypoints than the behaviors need.
        """
        check_skeleton(skeleton)
        self._recognizer = BehaviorRecognizer()
        x, y, _ = up
        # From the image as received to the upright one, in which y points down.
        self._upright = np.array([[-y, x], [-x, -y]])

    def recognize(
        self,
        tracked: TrackedPoses,
        people: People3D | None,
        stamp_s: float,
        size: tuple[int, int],
        epoch: int,
    ) -> BehaviorFrame:
        """Return the behaviors of the people published in an image; call in order of the images.

        Args:
            tracked: N people.
            people: their 3D positions, if any.
            stamp_s: of the image, seconds.
            size: (height, width) of the image, pixels.
            epoch: of the track ids.
        """
        poses = replace(tracked.poses, keypoints=tracked.poses.keypoints @ self._upright.T)
        seen = PoseFrame.from_tracked(
            replace(tracked, poses=poses),
            stamp_s,
            size,
            epoch=epoch,
            points=people.points.points if people else None,
            positions=people.points.positions if people else None,
            velocities=people.velocities if people else None,
            up=people.up if people else UP_OPTICAL,
        )
        return self._recognizer.update(seen)
