"""Windows and behaviors of people who leave and return, who cross, and whose camera stops."""

import numpy as np
import pytest
from bodies import LEFT, image_of, raised_arm, sitting, standing
from stories import (
    PRESENT_S,
    RATE_HZ,
    STANDING_X,
    camera_stops,
    leaves_and_returns,
    published,
    two_cross,
)

from poseflow_ros.action_config import WindowsConfig
from poseflow_ros.actions.behaviors import BehaviorRecognizer
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.kinds import Behavior, Posture
from poseflow_ros.actions.windows import PoseWindows

WINDOW_S = 1.0
CONFIG = WindowsConfig(duration_s=WINDOW_S, rate_hz=RATE_HZ, stride_s=0.0)
# Longer and shorter than `behaviors.max_gap_s`.
SHORT_S, LONG_S = 1.5, 3.0
BREAKS = pytest.mark.parametrize("break_s", [SHORT_S, LONG_S])


def frames(story):
    for index, stamp_s, tracked in published(story):
        yield index, PoseFrame.from_tracked(tracked, stamp_s, (480, 640))


def windows_of(story):
    """Return (index of the image, Windows) wherever windows are complete."""
    windows = PoseWindows(CONFIG)
    updates = [(index, windows.update(frame)) for index, frame in frames(story)]
    return [(index, ready) for index, ready in updates if len(ready)]


def behaviors_of(story):
    """Return {index of the image: BehaviorFrame}."""
    recognizer = BehaviorRecognizer()
    return {index: recognizer.update(frame) for index, frame in frames(story)}


def check_break(windows, end, returned):
    """Check that no window is complete from the end of a presence until 80 % are seen again.

    Args:
        windows: (index, Windows).
        end, returned: index of the last image before the break and of the first after it.
    """
    indices = [index for index, _ in windows]
    assert end in indices
    after = [index for index in indices if index > end]
    # 8 of 10 samples are observed with the 8th image after the return.
    assert after[0] == returned + 7
    assert after == list(range(returned + 7, returned + round(PRESENT_S * RATE_HZ)))
    first = dict(windows)[after[0]]
    assert first.observed[0].tolist() == [False] * 2 + [True] * 8
    full = dict(windows)[returned + 9]
    assert full.observed.all()


@BREAKS
def test_a_person_who_returns_has_the_next_window_when_most_of_it_is_observed(break_s):
    end = round(PRESENT_S * RATE_HZ) - 1
    windows = windows_of(leaves_and_returns(break_s))
    check_break(windows, end, end + 1 + round(break_s * RATE_HZ))
    expected = image_of(standing(), (STANDING_X, 1.0, 4.0))[:, :2]
    for _, ready in windows:
        assert len(set(ready.track_ids.tolist())) == 1
        seen = ready.keypoints[ready.observed]
        np.testing.assert_allclose(seen, np.broadcast_to(expected, seen.shape), atol=1e-3)


@BREAKS
def test_a_camera_that_stops_has_the_next_windows_when_most_of_them_are_observed(break_s):
    end = round(PRESENT_S * RATE_HZ) - 1
    windows = windows_of(camera_stops(break_s))
    check_break(windows, end, end + 1 + round(break_s * RATE_HZ))
    assert {tuple(ready.track_ids.tolist()) for _, ready in windows} == {(1, 2)}


def test_windows_of_two_people_who_cross_have_only_their_own_poses():
    windows = windows_of(two_cross())
    assert len(windows) > 2 * RATE_HZ
    steps = np.linspace(-1.5, 1.5, 4 * RATE_HZ)
    bodies = raised_arm(standing(), LEFT), sitting()
    for index, ready in windows:
        assert ready.track_ids.tolist() == [1, 2]
        assert (ready.observed[0] == ready.observed[1]).all()
        seen = np.flatnonzero(ready.observed[0])
        for body, sign, keypoints in zip(bodies, (1, -1), ready.keypoints, strict=True):
            xs = sign * steps[seen + index - ready.n_frames + 1]
            expected = [image_of(body, (x, 1.0, 4.0))[:, :2] for x in xs]
            np.testing.assert_allclose(keypoints[seen], expected, atol=1e-2)


@pytest.mark.parametrize(
    ("break_s", "posture"), [(SHORT_S, Posture.STANDING), (LONG_S, Posture.UNKNOWN)]
)
def test_behaviors_continue_after_a_short_absence_and_start_again_after_a_long_one(
    break_s, posture
):
    end = round(PRESENT_S * RATE_HZ) - 1
    returned = end + 1 + round(break_s * RATE_HZ)
    behaviors = behaviors_of(leaves_and_returns(break_s))
    assert behaviors[end].postures.tolist() == [Posture.STANDING]
    assert all(len(behaviors[i]) == 0 for i in range(end + 1, returned))
    assert behaviors[returned].track_ids.tolist() == behaviors[end].track_ids.tolist()
    assert behaviors[returned].postures.tolist() == [posture]
    assert behaviors[returned + RATE_HZ].postures.tolist() == [Posture.STANDING]


@pytest.mark.parametrize(
    ("break_s", "postures"),
    [(SHORT_S, [Posture.STANDING, Posture.SITTING]), (LONG_S, [Posture.UNKNOWN] * 2)],
)
def test_behaviors_continue_after_a_short_stop_of_the_camera(break_s, postures):
    end = round(PRESENT_S * RATE_HZ) - 1
    returned = end + 1 + round(break_s * RATE_HZ)
    behaviors = behaviors_of(camera_stops(break_s))
    assert behaviors[end].postures.tolist() == [Posture.STANDING, Posture.SITTING]
    assert behaviors[returned].track_ids.tolist() == [1, 2]
    assert behaviors[returned].postures.tolist() == postures
    later = behaviors[returned + RATE_HZ].postures.tolist()
    assert later == [Posture.STANDING, Posture.SITTING]


def test_behaviors_stay_with_the_people_who_cross():
    behaviors = behaviors_of(two_cross())
    for index in range(RATE_HZ, 4 * RATE_HZ):
        both = behaviors[index]
        assert both.track_ids.tolist() == [1, 2]
        assert both.postures.tolist() == [Posture.STANDING, Posture.SITTING]
        assert both.active[:, Behavior.LEFT_HAND_RAISED].tolist() == [True, False]
