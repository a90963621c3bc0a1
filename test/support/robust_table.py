"""Detections and tracks of the `robust` association, for its tests."""

import numpy as np
from people import together

from poseflow_ros.imaging.color_histograms import ColorHistograms
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.detections import Detections
from poseflow_ros.tracking.robust_tracks import RobustTracks

RED, BLUE, UNKNOWN = np.eye(4)[0], np.eye(4)[1], np.zeros(4)
APPEARANCE = ColorHistograms.likelihood
FIRST = np.zeros(1, np.int64)
# From the top to the middle of the torso of people.make_person, in heights.
ANCHOR = 0.36


def detect(*people, appearances=None):
    appearances = [UNKNOWN] * len(people) if appearances is None else appearances
    return Detections.of(together(*people), np.array(appearances).reshape(-1, 4), COCO_17)


def make_tracks(*people, appearances=None, first_id=1, stamp_s=0.0, appearance_hits=10):
    """Return confirmed tracks, last observed at `stamp_s`, of one person each."""
    detections = detect(*people, appearances=appearances)
    columns = np.arange(len(people))
    tracks = RobustTracks.born(detections, columns, (columns + first_id).tolist(), stamp_s)
    tracks.appearances[:] = detections.appearances
    tracks.appearance_hits[:] = appearance_hits * detections.appearances.any(axis=1)
    tracks.confirmed[:] = True
    tracks.detection_index[:] = -1
    return tracks
