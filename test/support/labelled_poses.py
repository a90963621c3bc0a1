"""The 10,650 labelled poses of the package pose-classification-kit (BODY_25, y up)."""

import csv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

_FILE = "datasets/BodyPose_Dataset.csv"
# Of each of COCO's keypoints the index in BODY_25.
_COCO = [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11]
TRAFFIC = ("AllStop", "BackFrontStop", "BackStop", "FrontStop", "LeftTurn", "RightTurn")
RAISED_LEFT = ("Stand_LeftArmRaised", "Yoga_UpwardSalute")
RAISED_RIGHT = ("Stand_RightArmRaised", "Yoga_UpwardSalute")
LOWERED = ("Stand", "Seated", "Squat")
POSTURES = {
    "standing": (
        *("Stand", "Stand_LeftArmRaised", "Stand_RightArmRaised", "Yoga_UpwardSalute"),
        *("MilitarySalute", "T"),
        *(f"Traffic_{name}" for name in TRAFFIC),
    ),
    "sitting": ("Seated",),
    "crouching": ("Squat",),
    "lying": ("Plank", "PushUp_Low"),
}


class LabelledPoses:
    """Attributes: labels (N,), keypoints (N, 17, 2) pixels, scores (N, 17), halves (N,) 0 or 1."""

    def __init__(self):
        with _path().open() as file:
            rows = list(csv.reader(file))[1:]
        self.labels = np.array([row[0] for row in rows])
        body = np.array([[float(x) for x in row[2:]] for row in rows]).reshape(-1, 25, 2)
        coco = body[:, _COCO]
        self.scores = np.where((coco == 0.0).all(axis=2), 0.0, 0.9)
        self.keypoints = coco * [300.0, -300.0] + [320.0, 240.0]
        self.halves = np.zeros(len(rows), int)
        for label in np.unique(self.labels):
            # People follow each other in the file: each half of a class has its own.
            (rows_of,) = np.nonzero(self.labels == label)
            self.halves[rows_of[len(rows_of) // 2 :]] = 1

    def of(self, labels, half):
        """Return (N,) which poses have one of these labels, and are of this half."""
        return np.isin(self.labels, labels) & (self.halves == half)


def _path():
    spec = find_spec("pose_classification_kit")  # not imported: it needs TensorFlow
    if spec is None:
        pytest.skip("pose-classification-kit is not installed (requirements/test_data.txt)")
    return Path(spec.submodule_search_locations[0]) / _FILE
