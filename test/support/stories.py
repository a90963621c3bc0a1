"""What interrupts people: stories of detections, and what the tracker makes of them.

Each interface has a test of every story, and a column in the table of docs/downstream.md.
"""

import numpy as np
from bodies import LEFT, image_of, raised_arm, sitting, standing

from poseflow_ros.config import TrackerConfig
from poseflow_ros.poses import Poses, TrackState
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.tracker import PoseFlowTracker

RATE_HZ = 10
PRESENT_S = 3.0
STANDING_X, SITTING_X = -1.0, 1.0


def leaves_and_returns(away_s):
    """Somebody stands there, is away and returns; the camera goes on."""
    present, away = round(PRESENT_S * RATE_HZ), round(away_s * RATE_HZ)
    there = detections((standing(), STANDING_X))
    images = [there] * present + [Poses.empty(17)] * away + [there] * present
    return [(i, poses) for i, poses in enumerate(images)]


def camera_stops(stopped_s):
    """One stands and one sits; for some time there are no images."""
    present, stopped = round(PRESENT_S * RATE_HZ), round(stopped_s * RATE_HZ)
    there = detections((standing(), STANDING_X), (sitting(), SITTING_X))
    return [
        (i, there) for i in [*range(present), *range(present + stopped, 2 * present + stopped)]
    ]


def two_cross():
    """One with a raised hand walks to the right, one who sits rolls to the left, 4 s."""
    raised, steps = raised_arm(standing(), LEFT), np.linspace(-1.5, 1.5, 4 * RATE_HZ)
    return [(i, detections((raised, x), (sitting(), -x))) for i, x in enumerate(steps)]


def detections(*people):
    """Return the poses of people: (body, x in metres)."""
    images = np.array([image_of(body, (x, 1.0, 4.0)) for body, x in people])
    corners = images[..., :2].min(axis=1), images[..., :2].max(axis=1)
    return Poses(images[..., :2], images[..., 2], np.hstack(corners), np.full(len(people), 0.9))


def published(story):
    """Yield index, stamp in seconds and the people whom the node publishes, for each image."""
    tracker = PoseFlowTracker(TrackerConfig(camera_motion=False), COCO_17)
    for index, poses in story:
        stamp_s = 1000.0 + index / RATE_HZ
        tracked = tracker.update(poses, None, stamp_s)
        ended = tracked.states == TrackState.REMOVED
        yield index, stamp_s, tracked[tracked.visible | ended]
