"""Transforms in a bag, with values calculated by hand."""

import numpy as np
import pytest
from made_bag import make_bag, transform_message

from poseflow_ros.imaging.bag_files import BagFiles
from poseflow_ros.imaging.source import MessageStamp
from poseflow_ros.ros_data.bag_frames import BagFrames
from poseflow_ros.ros_data.frames import FrameError

NO_TURN = (0.0, 0.0, 0.0, 1.0)
HALF = np.sqrt(0.5)
LEFT = (0.0, 0.0, HALF, HALF)  # a quarter turn about z
BACK = (0.0, 0.0, 1.0, 0.0)


@pytest.fixture
def frames(tmp_path):
    """A robot that drives from (0, 0) to (2, 0) m in 2 s, turning left by 90 degrees."""
    drive = [
        ("/tf", 10.0, transform_message([("odom", "base", 10.0, (0.0, 0.0, 0.0), NO_TURN)])),
        ("/tf", 12.0, transform_message([("odom", "base", 12.0, (2.0, 0.0, 0.0), LEFT)])),
    ]
    mounts = [
        ("base", "camera", 0.0, (0.0, 0.0, 1.0), BACK),
        ("map", "odom", 0.0, (5.0, 0, 0), LEFT),
    ]
    bag = make_bag(tmp_path / "bag", [("/tf_static", 9.0, transform_message(mounts)), *drive])
    with BagFiles(bag) as files:
        yield lambda target: BagFrames(files, target)


def moved(transform, point):
    rotation, translation = transform
    return rotation @ point + translation


def test_a_static_transform_holds_at_any_time(frames):
    for stamp in (MessageStamp(1, 0), MessageStamp(10_000, 0)):
        np.testing.assert_allclose(moved(frames("base").lookup("camera", stamp), [1, 0, 0]),
                                   [-1, 0, 1], atol=1e-12)  # fmt: skip


def test_transforms_are_interpolated(frames):
    # Halfway: at (1, 0), turned by 45 degrees.
    np.testing.assert_allclose(
        moved(frames("odom").lookup("base", MessageStamp(11, 0)), [1, 0, 0]), [1 + HALF, HALF, 0],
        atol=1e-12,
    )  # fmt: skip


def test_transforms_are_chained_to_an_ancestor(frames):
    # In base (-1, 0, 1); at the end in odom (2, -1, 1), in map (5 + 1, 2, 1).
    np.testing.assert_allclose(
        moved(frames("map").lookup("camera", MessageStamp(12, 0)), [1, 0, 0]),
        [6, 2, 1],
        atol=1e-12,
    )


def test_transforms_are_inverted_towards_a_descendant(frames):
    np.testing.assert_allclose(
        moved(frames("camera").lookup("map", MessageStamp(12, 0)), [6, 2, 1]),
        [1, 0, 0],
        atol=1e-12,
    )


def test_the_target_frame_itself_needs_no_transform(frames):
    rotation, translation = frames("moon").lookup("moon", MessageStamp(1, 0))
    assert rotation.tolist() == np.eye(3).tolist()
    assert not translation.any()


@pytest.mark.parametrize(
    ("target", "stamp", "reason"),
    [
        pytest.param("odom", MessageStamp(9, 0), "those to 'odom' are from 10.000 to 12.000 s",
                     id="before"),
        pytest.param("odom", MessageStamp(12, 1), "those to 'odom' are from 10.000 to 12.000 s",
                     id="after"),
        pytest.param("moon", MessageStamp(11, 0), "the bag does not connect them", id="unknown"),
    ],
)  # fmt: skip
def test_a_missing_transform_is_one_line(target, stamp, reason, frames):
    with pytest.raises(FrameError) as caught:
        frames(target).lookup("camera", stamp)
    assert str(caught.value).startswith(
        f"no transform from 'camera' to '{target}' at {stamp.sec}."
    )
    assert reason in str(caught.value)
