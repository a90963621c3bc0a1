"""Streams of tracked people, as the tracker publishes them, without a tracker."""

import numpy as np

from poseflow_ros.actions.frame import UP_OPTICAL, PoseFrame
from poseflow_ros.poses import TrackState

CONFIRMED, LOST, REMOVED = TrackState.CONFIRMED, TrackState.LOST, TrackState.REMOVED
TENTATIVE = TrackState.TENTATIVE


def frame_of(
    people, stamp_s, *, camera="", epoch=0, sequence=0, image_size=(480, 640), up=UP_OPTICAL
):
    """Return the frame of people: (track_id, state, (K, 3) x, y and score [, (K, 3) points])."""
    rows = np.array([person[2] for person in people], float)
    if not people:
        rows = np.zeros((0, 0, 3))
    points = [person[3] if len(person) > 3 else np.full_like(rows[0], np.nan) for person in people]
    return PoseFrame(
        camera=camera,
        epoch=epoch,
        stamp_s=stamp_s,
        sequence=sequence,
        image_size=image_size,
        track_ids=np.array([person[0] for person in people], np.int64),
        states=np.array([person[1] for person in people], np.int64),
        keypoints=rows[..., :2],
        scores=rows[..., 2],
        points=np.array(points, float).reshape(*rows.shape),
        positions=np.full((len(people), 3), np.nan),
        velocities=np.full((len(people), 3), np.nan),
        up=up,
    )
