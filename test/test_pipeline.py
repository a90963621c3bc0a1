"""The pipeline: when tracking is reset, and which frames come out with which payload."""

import numpy as np
import pytest
from people import make_person

from poseflow_ros.config import Config, TrackerConfig
from poseflow_ros.estimation.recorded import RecordedPoses
from poseflow_ros.pipeline import Pipeline
from poseflow_ros.poses import Poses
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.appearance_likelihood import NOT_COMPARED

IMAGE = np.zeros((100, 200, 3), np.uint8)


class RecordedPipeline:
    """A pipeline whose poses come from a recording, and what it logs."""

    def __init__(self, path, config):
        self._estimator, self.logged = RecordedPoses(path), []
        self.pipeline = Pipeline(
            Config(tracker=config), COCO_17, NOT_COMPARED, log=self.logged.append, epoch=4
        )
        self.flush, self.reset = self.pipeline.flush, self.pipeline.reset

    def process(self, image, stamp_s, payload=None):
        poses = self._estimator.estimate(image)
        return self.pipeline.track(image, poses, np.zeros((len(poses), 0)), stamp_s, payload)


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
    # The classic association confirms everybody in the first frame.
    return RecordedPipeline(path, TrackerConfig(association="classic"))


def ids(frame):
    return frame.tracked.track_ids.tolist()


def test_one_person_keeps_one_id(pipeline):
    frames = [frame for i in range(3) for frame in pipeline.process(IMAGE, 0.1 * i)]
    assert [ids(frame) for frame in frames] == [[1], [1], [1]]
    assert [frame.epoch for frame in frames] == [4, 4, 4]
    assert pipeline.logged == []


def test_earlier_stamp_resets_tracking(pipeline):
    (first,) = pipeline.process(IMAGE, 10.0)
    (second,) = pipeline.process(IMAGE, 9.0)
    (third,) = pipeline.process(IMAGE, 9.1)
    assert [ids(f) for f in (first, second, third)] == [[1], [2], [2]]
    assert [f.epoch for f in (first, second, third)] == [4, 5, 5]
    assert pipeline.logged == ["tracking reset: the stamp went back from 10.000 to 9.000 s"]


def test_new_image_size_resets_tracking(pipeline):
    pipeline.process(IMAGE, 1.0)
    (frame,) = pipeline.process(IMAGE[:50], 1.1)
    assert (ids(frame), frame.epoch) == ([2], 5)
    assert "from (100, 200) to (50, 200)" in pipeline.logged[0]


def test_equal_stamp_does_not_reset_tracking(pipeline):
    frames = [frame for _ in range(2) for frame in pipeline.process(IMAGE, 1.0)]
    assert [ids(frame) for frame in frames] == [[1], [1]]
    assert np.isfinite(frames[1].tracked.velocities).all()


def test_reset_starts_a_new_epoch_and_logs_nothing(pipeline):
    pipeline.process(IMAGE, 5.0)
    pipeline.reset()
    (frame,) = pipeline.process(IMAGE, 1.0)
    assert (ids(frame), frame.epoch) == ([2], 5)
    assert pipeline.logged == []


def test_frames_without_people_are_returned(pipeline):
    frames = [frame for i in range(12) for frame in pipeline.process(IMAGE, 0.1 * i)]
    assert len(frames[-1].tracked) == 1  # lost, remembered
    assert not frames[-1].tracked.visible.any()
    assert isinstance(frames[-1].tracked.poses, Poses)


# One person walking, whom the robust association confirms; five frames of DT_S
# are delayed.
DT_S, WINDOW_S = 0.1, 0.45


@pytest.fixture
def late(tmp_path):
    """A pipeline that delays frames of one person who walks, 2 pixels a frame."""
    path = tmp_path / "walker.npz"
    n = 20
    pose = make_person(60, 10, 80)
    steps = 2.0 * np.arange(n)
    points = np.concatenate([pose.keypoints, pose.keypoint_scores[..., None]], axis=-1)
    np.savez(
        path,
        frame=np.arange(n),
        box=pose.boxes + steps[:, None] * [1, 0, 1, 0],
        score=np.full(n, 0.9),
        keypoints=points + steps[:, None, None] * [1, 0, 0],
        n_frames=n,
    )
    return RecordedPipeline(path, TrackerConfig(flow_window_s=WINDOW_S))


def image_of(i):
    return np.full((100, 200, 3), 10 + i, np.uint8)


def feed(pipeline, numbers, start_s=0.0):
    """Return the frames given for each image, DT_S after each other."""
    return [
        pipeline.process(image_of(i), start_s + DT_S * i, payload=f"image {i}") for i in numbers
    ]


def assert_is(frame, i, epoch=4, start_s=0.0):
    """Assert that it is frame `i`: image, stamp, payload and the walker of that frame."""
    assert (frame.payload, frame.epoch) == (f"image {i}", epoch)
    assert frame.stamp_s == start_s + DT_S * i
    assert (frame.image == 10 + i).all()
    (box,) = frame.tracked.poses.boxes
    np.testing.assert_allclose(box, [44 + 2 * i, 10, 76 + 2 * i, 90])


def test_delayed_frames_keep_their_image_stamp_and_payload(late):
    given = feed(late, range(12))
    assert [len(frames) for frames in given] == [0] * 5 + [1] * 7
    ready = [frame for frames in given for frame in frames] + late.flush()
    assert len(ready) == 12
    for i, frame in enumerate(ready):
        assert_is(frame, i)
        assert ids(frame) == [1]
        assert frame.tracked.visible.all()


def test_all_frames_older_than_the_delay_are_returned_after_a_gap(late):
    feed(late, range(3))
    ready = late.process(image_of(3), 2.0, payload="image 3")
    assert [frame.payload for frame in ready] == ["image 0", "image 1", "image 2"]
    assert [frame.stamp_s for frame in ready] == [0.0, DT_S, 2 * DT_S]


def test_flush_returns_the_delayed_frames_once(late):
    feed(late, range(7))
    ready = late.flush()
    assert len(ready) == 5
    for i, frame in zip(range(2, 7), ready, strict=True):
        assert_is(frame, i)
    assert late.flush() == []


def test_earlier_stamp_flushes_the_delayed_frames_first(late):
    feed(late, range(4), start_s=10.0)
    (ready, *rest) = feed(late, range(4, 10))
    assert len(ready) == 4
    for i, frame in enumerate(ready):
        assert_is(frame, i, start_s=10.0)
        assert ids(frame) == [1]
    ready = [frame for frames in rest for frame in frames] + late.flush()
    assert len(ready) == 6
    for i, frame in zip(range(4, 10), ready, strict=True):
        assert_is(frame, i, epoch=5)
        assert ids(frame) == [2]
        assert frame.tracked.hits.tolist() == [i - 3]
    assert len(late.logged) == 1


def test_new_image_size_flushes_the_delayed_frames_first(late):
    feed(late, range(3))
    ready = late.process(IMAGE[:50], 0.3)
    for i, frame in zip(range(3), ready, strict=True):
        assert_is(frame, i)
    (frame,) = late.flush()
    assert (frame.image.shape, frame.epoch) == ((50, 200, 3), 5)


def test_reset_discards_the_delayed_frames_and_returns_their_number(late):
    feed(late, range(4))
    assert late.reset() == 4
    assert late.reset() == 0
    assert late.flush() == []
    ready = [frame for frames in feed(late, range(4, 11)) for frame in frames]
    assert [frame.payload for frame in ready] == ["image 4", "image 5"]
    assert [(ids(frame), frame.epoch) for frame in ready] == [([2], 6)] * 2


def test_without_a_window_nothing_is_delayed(pipeline):
    pipeline.process(IMAGE, 1.0)
    assert pipeline.flush() == []
    assert pipeline.reset() == 0
