"""Cues for tests."""

from poseflow_ros.imaging.camera_motion import estimate_camera_motion
from poseflow_ros.tracking.cues import Cues


def cues_of(poses, correspondences=None, appearances=None):
    """Return the cues that these correspondences and appearances are; None: there are none."""
    none = Cues.none(len(poses))
    correspondences = none.correspondences if correspondences is None else correspondences
    motion = estimate_camera_motion(correspondences, poses.boxes)
    return Cues(motion, correspondences, none.appearances if appearances is None else appearances)
