"""Raised hands and postures of labelled poses of real people.

The thresholds were chosen mainly on the first half of each class; the figures of the second
half are asserted and documented. `-s` prints the tables of docs/behaviors.md.
"""

import numpy as np
import pytest
from labelled_poses import LOWERED, POSTURES, RAISED_LEFT, RAISED_RIGHT, LabelledPoses

from poseflow_ros.action_config import BehaviorsConfig
from poseflow_ros.actions.behaviors import BehaviorRecognizer
from poseflow_ros.actions.frame import UP_OPTICAL, PoseFrame
from poseflow_ros.actions.kinds import Behavior, Posture

COLUMNS = [Posture.STANDING, Posture.SITTING, Posture.CROUCHING, Posture.LYING, Posture.UNKNOWN]


@pytest.fixture(scope="module")
def poses():
    return LabelledPoses()


@pytest.fixture(scope="module")
def recognized(poses):
    """Active behaviors (N, 9) and postures (N,) of each pose alone, without hold times."""
    n = len(poses.labels)
    config = BehaviorsConfig(hold_s=0.0, posture_hold_s=0.0, max_people=1000)
    parts = []
    for first in range(0, n, 1000):
        part = slice(first, first + 1000)
        count = len(poses.labels[part])
        frame = PoseFrame(
            camera="",
            epoch=0,
            stamp_s=0.0,
            sequence=0,
            image_size=(480, 640),
            track_ids=np.arange(count),
            states=np.ones(count, np.int64),
            keypoints=poses.keypoints[part],
            scores=poses.scores[part],
            points=np.full((count, 17, 3), np.nan),
            positions=np.full((count, 3), np.nan),
            velocities=np.full((count, 3), np.nan),
            up=UP_OPTICAL,
        )
        parts.append(BehaviorRecognizer(config).update(frame))
    return np.concatenate([p.active for p in parts]), np.concatenate([p.postures for p in parts])


@pytest.mark.parametrize(
    ("behavior", "labels"),
    [(Behavior.LEFT_HAND_RAISED, RAISED_LEFT), (Behavior.RIGHT_HAND_RAISED, RAISED_RIGHT)],
)
def test_raised_hands_are_found_and_lowered_ones_are_not(poses, recognized, behavior, labels):
    active = recognized[0][:, behavior]
    recall = active[poses.of(labels, 1)].mean()
    false = {label: active[poses.of([label], 1)].mean() for label in LOWERED}
    print(f"\n{behavior.name}: recall {recall:.3f}, false positives {false}")
    assert recall >= 0.95
    assert all(share <= 0.02 for share in false.values())


def confusion(poses, postures, half):
    """Return (4, 5) counts: true posture x COLUMNS."""
    return np.array(
        [
            [(postures[poses.of(labels, half)] == column).sum() for column in COLUMNS]
            for labels in POSTURES.values()
        ]
    )


def macro_f1(counts, classes):
    """Return the mean F1 of some classes, over the poses of these classes."""
    scores = []
    for index in classes:
        true = counts[index, index]
        scores.append(2 * true / (counts[index].sum() + counts[classes, index].sum()))
    return np.mean(scores)


def test_postures_of_people_who_were_not_used_to_choose_the_thresholds(poses, recognized):
    for half in (0, 1):
        counts = confusion(poses, recognized[1], half)
        print(f"\nhalf {half}: " + ", ".join(column.name.lower() for column in COLUMNS))
        for name, row in zip(POSTURES, counts, strict=True):
            print(f"{name:10s}", row)
        print(
            f"macro F1 {macro_f1(counts, [0, 1, 3]):.3f}, with crouching "
            f"{macro_f1(counts, [0, 1, 2, 3]):.3f}"
        )
    assert macro_f1(counts, [0, 1, 3]) >= 0.9
    assert macro_f1(counts, [0, 1, 2, 3]) >= 0.93
