"""The pipeline: when it begins anew, and what it says then."""

import numpy as np
import pytest

from poseflow_ros.config import Config, TrackerConfig
from poseflow_ros.estimation.recorded import RecordedPoses
from poseflow_ros.pipeline import Pipeline
from poseflow_ros.poses import Poses

IMAGE = np.zeros((100, 200, 3), np.uint8)


@pytest.fixture
def pipeline(tmp_path):
    """A pipeline that sees one person, standing still, in each of ten frames."""
    path = tmp_path / "poses.npz"
    n = 10
    points = np.tile(np.linspace(20, 80, 17)[:, None], (n, 1, 3))
    points[:, :, 2] = 0.9
    box = np.tile([20.0, 20.0, 80.0, 80.0], (n, 1))
    np.savez(
        path, frame=np.arange(n), box=box, score=np.full(n, 0.9), keypoints=points, n_frames=n
    )
    said = []
    # The classic association knows everybody at first sight.
    config = Config(tracker=TrackerConfig(association="classic"))
    pipeline = Pipeline(config, RecordedPoses(path), say=said.append, epoch=4)
    pipeline.said = said
    return pipeline


def ids(frame):
    return frame.tracked.track_ids.tolist()


def test_one_person_keeps_one_id_and_times_are_told(pipeline):
    frames = [frame for i in range(3) for frame in pipeline.process(IMAGE, 0.1 * i)]
    assert [ids(frame) for frame in frames] == [[1], [1], [1]]
    assert [frame.epoch for frame in frames] == [4, 4, 4]
    assert all(frame.estimate_s > 0 and frame.track_s > 0 for frame in frames)
    assert pipeline.said == []


def test_a_stamp_that_goes_back_begins_anew(pipeline):
    (first,) = pipeline.process(IMAGE, 10.0)
    (second,) = pipeline.process(IMAGE, 9.0)
    (third,) = pipeline.process(IMAGE, 9.1)
    assert [ids(f) for f in (first, second, third)] == [[1], [2], [2]]
    assert [f.epoch for f in (first, second, third)] == [4, 5, 5]
    assert pipeline.said == ["tracking starts anew: the stamp went back from 10.000 to 9.000 s"]


def test_another_size_begins_anew(pipeline):
    pipeline.process(IMAGE, 1.0)
    (frame,) = pipeline.process(IMAGE[:50], 1.1)
    assert (ids(frame), frame.epoch) == ([2], 5)
    assert "from (100, 200) to (50, 200)" in pipeline.said[0]


def test_an_equal_stamp_goes_on(pipeline):
    frames = [frame for _ in range(2) for frame in pipeline.process(IMAGE, 1.0)]
    assert [ids(frame) for frame in frames] == [[1], [1]]
    assert np.isfinite(frames[1].tracked.velocities).all()


def test_reset_begins_anew_and_is_no_break(pipeline):
    pipeline.process(IMAGE, 5.0)
    pipeline.reset()
    (frame,) = pipeline.process(IMAGE, 1.0)
    assert (ids(frame), frame.epoch) == ([2], 5)
    assert pipeline.said == []


def test_nobody_takes_the_same_path(pipeline):
    frames = [frame for i in range(12) for frame in pipeline.process(IMAGE, 0.1 * i)]
    assert len(frames[-1].tracked) == 1  # lost, remembered
    assert not frames[-1].tracked.visible.any()
    assert isinstance(frames[-1].tracked.poses, Poses)
