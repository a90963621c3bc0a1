"""Windows of poses against a plain loop, and the story of each way a track can be interrupted."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from frames import CONFIRMED, LOST, REMOVED, TENTATIVE, frame_of
from hypothesis import given, settings
from hypothesis import strategies as st

from poseflow_ros.action_config import WindowsConfig
from poseflow_ros.actions import PoseFrame, PoseWindows
from poseflow_ros.parameter_group import ConfigError

K = 3
START_S = 1_764_300_000.0


def pose(track_id, epoch, stamp_s):
    """Return (K, 3): x, y encode the person and vary smoothly with time."""
    base = 1000.0 * (100 * epoch + track_id)
    t = stamp_s % 100.0
    rows = [(base + 10 * k + t, base + 10 * k - t, 0.1 + 0.01 * k + 0.001 * t) for k in range(K)]
    return np.array(rows)


def collect(frames, config):
    """Return {(camera, epoch, track_id, end in ms): (samples, observed, start_s)}."""
    windows, found = PoseWindows(config), {}
    for frame in frames:
        ready = windows.update(frame)
        for i, track_id in enumerate(ready.track_ids.tolist()):
            key = (ready.camera, ready.epoch, track_id, round(1e3 * ready.end_s, 1))
            samples = np.concatenate([ready.keypoints[i], ready.scores[i][..., None]], axis=-1)
            found[key] = (samples, ready.observed[i], ready.start_s)
    return found


class PlainLoop:
    """The same windows, one person and one sample at a time, with nothing ever forgotten."""

    def __init__(self, config):
        self.config, self.cameras, self.found = config, {}, {}

    def run(self, frames):
        for frame in frames:
            state = self.cameras.get(frame.camera)
            identity = (frame.epoch, frame.image_size)
            if state is None or state["identity"] != identity or frame.stamp_s < state["stamp"]:
                state = {"identity": identity, "origin": frame.stamp_s, "people": {}}
                self.cameras[frame.camera] = state
            state["stamp"] = frame.stamp_s
            for i, track_id in enumerate(frame.track_ids.tolist()):
                if frame.states[i] == REMOVED:
                    state["people"].pop(track_id, None)
                if frame.states[i] in (CONFIRMED, TENTATIVE):
                    row = np.column_stack([frame.keypoints[i], frame.scores[i]])
                    self.observe(frame, state, track_id, row)
        return self.found

    def observe(self, frame, state, track_id, row):
        config = self.config
        seen = state["people"].setdefault(track_id, [])
        at = (frame.stamp_s - state["origin"]) * config.rate_hz
        end = self.last_end(at)
        due = not seen or self.last_index(seen[-1][0]) < end
        seen.append((at, row))
        if not due:
            return
        samples = [
            self.sample(seen, end - config.n_frames + 1 + i) for i in range(config.n_frames)
        ]
        observed = np.array([one is not None for one in samples])
        if observed.mean() < config.min_observed:
            return
        unknown = np.column_stack([np.full((K, 2), np.nan), np.zeros(K)])
        stamp = state["origin"] + end / config.rate_hz
        key = (frame.camera, frame.epoch, track_id, round(1e3 * stamp, 1))
        start = stamp - (config.n_frames - 1) / config.rate_hz
        filled = np.array([unknown if one is None else one for one in samples])
        self.found[key] = (filled, observed, start)

    def sample(self, seen, index):
        for at, row in seen:
            if abs(at - index) <= 1e-3:
                return row
        for (at0, row0), (at1, row1) in pairwise(seen):
            near = at1 - at0 <= self.config.max_gap_s * self.config.rate_hz + 1e-3
            if at0 < index < at1 and near:
                row = row0 + (index - at0) / (at1 - at0) * (row1 - row0)
                row[:, 2] = np.minimum(row0[:, 2], row1[:, 2])
                return row
        return None

    def last_index(self, at):
        return int(np.floor(at + 1e-3))

    def last_end(self, at):
        end = self.last_index(at)
        while (end - self.config.n_frames + 1) % self.config.stride:
            end -= 1
        return end


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for key, (samples, observed, start_s) in expected.items():
        np.testing.assert_array_equal(found[key][1], observed, str(key))
        np.testing.assert_allclose(found[key][0], samples, rtol=1e-6, atol=1e-4, err_msg=str(key))
        assert found[key][2] == pytest.approx(start_s, abs=1e-5)


def stream(seed, *, fps, people, seconds=4.0, jitter=0.0, missing=0.05, dropped=0.1):
    """Return frames of a random life: people come, are missed, lost, removed and come back."""
    rng = np.random.default_rng(seed)
    epoch, frames, ids = 0, [], {n: n + 1 for n in range(people)}
    next_id, stamp = people + 1, START_S
    for n in range(int(seconds * fps)):
        stamp = max(stamp, START_S + n / fps + rng.uniform(-jitter, jitter) / fps)
        if rng.random() < dropped:
            continue
        if n == int(0.6 * seconds * fps) and seed % 2:
            epoch += 1
            ids, next_id = {n: n + 1 for n in range(people)}, people + 1
        tracks = []
        for person, track_id in ids.items():
            state = REMOVED if rng.random() < 0.004 else LOST if rng.random() < missing else 1
            if rng.random() < 0.02:
                continue
            tracks.append((track_id, state, pose(track_id, epoch, stamp)))
            if state == REMOVED:
                ids[person], next_id = next_id, next_id + 1
        frames.append(frame_of(tracks, stamp, epoch=epoch))
    return frames


@pytest.mark.parametrize("fps", [12, 15, 24, 29.97, 30, 60])
@pytest.mark.parametrize("seed", [1, 2])
def test_windows_equal_those_of_a_plain_loop_at_any_frame_rate(fps, seed):
    config = WindowsConfig(duration_s=1.0, stride_s=0.2, max_gap_s=0.2, min_observed=0.5)
    frames = stream(seed, fps=fps, people=3, jitter=0.3)
    expected = PlainLoop(config).run(frames)
    assert len(expected) > 20
    assert_equal(collect(frames, config), expected)


def test_windows_of_50_people_equal_those_of_a_plain_loop():
    config = WindowsConfig(duration_s=0.5, rate_hz=15.0, stride_s=0.0, min_observed=0.1)
    frames = stream(3, fps=20, people=50, seconds=2.0)
    expected = PlainLoop(config).run(frames)
    assert len(expected) > 500
    assert_equal(collect(frames, config), expected)


def test_two_cameras_do_not_disturb_each_other():
    config = WindowsConfig(duration_s=1.0, min_observed=0.5)
    left, right = stream(4, fps=30, people=2), stream(5, fps=25, people=2)
    left = [replace(frame, camera="left") for frame in left]
    right = [replace(frame, camera="right") for frame in right]
    both = sorted(left + right, key=lambda frame: frame.stamp_s)
    apart = collect(left, config) | collect(right, config)
    assert len({key[0] for key in apart}) == 2
    assert_equal(collect(both, config), apart)


def test_a_bag_that_starts_again_starts_new_windows():
    config = WindowsConfig(duration_s=1.0, rate_hz=10.0, stride_s=0.5, min_observed=1.0)
    once = [frame_of([(1, CONFIRMED, pose(1, 0, 10 + i / 10))], 10 + i / 10) for i in range(15)]
    windows = PoseWindows(config)
    found = [(n, len(windows.update(frame))) for n, frame in enumerate(once + once)]
    assert [n for n, count in found if count] == [9, 14, 24, 29]


def test_an_image_that_comes_twice_gives_its_window_once():
    config = WindowsConfig(duration_s=0.1, rate_hz=10.0, stride_s=0.1, min_observed=1.0)
    windows, frame = PoseWindows(config), frame_of([(1, CONFIRMED, pose(1, 0, 0))], 0.0)
    assert [len(windows.update(frame)) for _ in range(2)] == [1, 0]


def test_a_new_image_size_starts_new_windows():
    config = WindowsConfig(duration_s=1.0, rate_hz=10.0, stride_s=0.0, min_observed=0.2)
    windows = PoseWindows(config)
    for i in range(12):
        windows.update(frame_of([(1, CONFIRMED, pose(1, 0, i))], i / 10))
    larger = [(1, CONFIRMED, pose(1, 0, 1.3))]
    assert len(windows.update(frame_of(larger, 1.3, image_size=(960, 1280)))) == 0


def test_a_publisher_that_starts_again_starts_new_windows():
    config = WindowsConfig(duration_s=1.0, rate_hz=10.0, stride_s=0.0, min_observed=0.2)
    windows = PoseWindows(config)
    for i in range(12):
        windows.update(frame_of([(1, CONFIRMED, pose(1, 0, i))], i / 10, sequence=i))
    # Another process: the epoch and the ids are the same, the person is another.
    other = frame_of([(1, CONFIRMED, pose(1, 0, 1.3))], 1.3, sequence=0)
    assert len(windows.update(other)) == 0


def test_a_lost_person_is_missing_and_does_not_stand_still():
    config = WindowsConfig(duration_s=1.0, rate_hz=10.0, stride_s=0.0, min_observed=0.2)
    windows = PoseWindows(config)
    for i in range(10):
        state = LOST if 2 < i < 8 else CONFIRMED
        ready = windows.update(frame_of([(1, state, pose(1, 0, i))], i / 10))
    assert ready.observed.tolist() == [[i <= 2 or i >= 8 for i in range(10)]]
    assert np.isnan(ready.keypoints[0, 3:8]).all()
    assert (ready.scores[0, 3:8] == 0).all()


def test_the_longest_gap_that_is_interpolated_is_a_parameter():
    for max_gap_s, known in ((0.3, True), (0.29, False)):
        config = WindowsConfig(
            duration_s=0.7, rate_hz=10.0, stride_s=0.0, max_gap_s=max_gap_s, min_observed=0.1
        )
        windows = PoseWindows(config)
        for i in (0, 1, 2, 5, 6):
            ready = windows.update(frame_of([(7, CONFIRMED, pose(7, 0, i))], i / 10))
        assert ready.observed[0, 3:5].all() == known
        if known:
            expected = pose(7, 0, 3)[:, :2]  # the encoded path is straight
            np.testing.assert_allclose(ready.keypoints[0, 3], expected, rtol=1e-6)
            np.testing.assert_allclose(ready.scores[0, 3], pose(7, 0, 2)[:, 2], rtol=1e-6)


def test_too_few_observed_samples_give_no_window():
    frames = [
        frame_of([(1, CONFIRMED, pose(1, 0, i))], i / 10) if i % 10 < 7 else frame_of([], i / 10)
        for i in range(27)
    ]
    options = {"duration_s": 1.0, "rate_hz": 10.0, "stride_s": 1.0, "max_gap_s": 0.1}
    assert len(collect(frames, WindowsConfig(min_observed=0.7, **options))) == 2
    assert collect(frames, WindowsConfig(min_observed=0.71, **options)) == {}


def test_a_removed_track_takes_its_poses_along():
    config = WindowsConfig(duration_s=1.0, rate_hz=10.0, stride_s=0.0, min_observed=0.5)
    windows = PoseWindows(config)
    for i in range(10):
        windows.update(frame_of([(1, CONFIRMED, pose(1, 0, i))], i / 10))
    windows.update(frame_of([(1, REMOVED, pose(1, 0, 10))], 1.0))
    assert len(windows.update(frame_of([(1, CONFIRMED, pose(1, 0, 11))], 1.1))) == 0


def test_gaps_hold_the_nearest_observed_pose():
    config = WindowsConfig(duration_s=1.0, rate_hz=10.0, stride_s=0.0, min_observed=0.2)
    windows = PoseWindows(config)
    for i in range(10):
        tracks = [(1, CONFIRMED, pose(1, 0, i))] if i in (1, 2, 7, 9) else []
        ready = windows.update(frame_of(tracks, i / 10))
    nearest = [1, 1, 2, 2, 2, 7, 7, 7, 8, 9]  # 8 is interpolated
    expected = np.array([pose(1, 0, i)[:, :2] for i in nearest])
    filled = ready.filled()
    np.testing.assert_allclose(filled.keypoints[0], expected, rtol=1e-6)
    assert filled.observed.tolist() == ready.observed.tolist()
    assert np.isnan(ready.keypoints[0, 4]).all()


def test_keypoints_in_3d_are_interpolated_where_both_are_known():
    config = WindowsConfig(duration_s=0.3, rate_hz=10.0, stride_s=0.0, min_observed=0.2)
    windows = PoseWindows(config, with_points=True)
    for i in (0, 2):
        points = np.full((K, 3), float(i))
        points[2] = np.nan if i == 0 else 5.0
        ready = windows.update(frame_of([(1, CONFIRMED, pose(1, 0, i), points)], i / 10))
    np.testing.assert_allclose(ready.points[0, :, 0, 2], [0, 1, 2])
    np.testing.assert_array_equal(ready.points[0, :, 2, 0], [np.nan, np.nan, 5.0])


def test_without_3d_no_points_are_kept():
    windows = PoseWindows(WindowsConfig(duration_s=0.1, rate_hz=10.0, min_observed=0.2))
    assert windows.update(frame_of([(1, CONFIRMED, pose(1, 0, 0))], 0.0)).points.size == 0


def test_memory_is_bounded_however_many_people_come():
    config = WindowsConfig(duration_s=1.0, rate_hz=10.0, max_people=20, min_observed=0.01)
    windows = PoseWindows(config)
    sizes = set()
    for i in range(400):
        tracks = [(3 * i + n, CONFIRMED, pose(n, 0, i)) for n in range(30)]
        assert len(windows.update(frame_of(tracks, i / 10))) <= 20
        (camera,) = windows._cameras.values()
        arrays = [v for v in vars(camera._history).values() if isinstance(v, np.ndarray)]
        sizes.add(sum(array.nbytes for array in arrays))
        assert len(camera._rows) <= 20
    assert len(sizes) == 1


def test_the_person_unseen_for_longest_makes_room():
    config = WindowsConfig(
        duration_s=1.0, rate_hz=10.0, stride_s=0.0, max_people=2, min_observed=0.2
    )
    windows = PoseWindows(config)
    for i, ids in enumerate([(1, 2), (1, 2), (2,), (2, 3), (2, 3)]):
        tracks = [(n, CONFIRMED, pose(n, 0, i)) for n in ids]
        ready = windows.update(frame_of(tracks, i / 10))
    assert ready.track_ids.tolist() == [2, 3]
    assert ready.observed[:, -2:].all()
    assert ready.observed[:, -5:-3].tolist() == [[True, True], [False, False]]


def test_a_camera_that_stops_for_a_day_costs_nothing():
    config = WindowsConfig(duration_s=1.0, rate_hz=60.0, stride_s=0.0, min_observed=0.01)
    windows = PoseWindows(config)
    for stamp_s in (0.0, 86400.0):
        ready = windows.update(frame_of([(1, CONFIRMED, pose(1, 0, 0))], stamp_s))
    assert ready.observed.sum() == 1


EVENT = st.tuples(
    st.sampled_from(["image", "image", "image", "image", "drop", "back", "epoch", "size"]),
    st.floats(0.005, 0.4),
    st.lists(
        st.tuples(
            st.integers(1, 6), st.sampled_from([TENTATIVE, CONFIRMED, CONFIRMED, LOST, REMOVED])
        ),
        max_size=6,
        unique_by=lambda track: track[0],
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENT, min_size=5, max_size=60), st.integers(2, 6))
def test_no_keypoint_of_a_person_is_in_a_window_of_another(events, max_people):
    config = WindowsConfig(
        duration_s=0.8, rate_hz=20.0, stride_s=0.1, min_observed=0.05, max_people=max_people
    )
    stamp, epoch, height, frames = 50.0, 0, 480, []
    for kind, step, tracks in events:
        stamp += -0.3 if kind == "back" else step
        epoch += kind == "epoch"
        height += kind == "size"
        if kind != "drop":
            people = [(n, state, pose(n, epoch, stamp)) for n, state in tracks]
            frames.append(frame_of(people, stamp, epoch=epoch, image_size=(height, 640)))
    for (_, of_epoch, track_id, _), (samples, observed, _) in collect(frames, config).items():
        base = 1000.0 * (100 * of_epoch + track_id)
        assert (np.abs(samples[observed][..., :2] - base) < 500).all()
    if max_people == 6:
        assert_equal(collect(frames, config), PlainLoop(config).run(frames))


def message_of(people, stamp_s=1.25):
    """Return the fields of a TrackedPoseArray without ROS."""

    def keypoint(x, y, score):
        return SimpleNamespace(x=x, y=y, score=score)

    return SimpleNamespace(
        header=SimpleNamespace(
            stamp=SimpleNamespace(sec=int(stamp_s), nanosec=round(stamp_s % 1 * 1e9)),
            frame_id="camera",
        ),
        frame_3d="map",
        camera="front",
        epoch=4,
        sequence=9,
        image_width=640,
        image_height=480,
        poses=[
            SimpleNamespace(
                track_id=track_id,
                state=state,
                keypoints=[keypoint(*row) for row in rows],
                keypoints_3d=[
                    SimpleNamespace(point=SimpleNamespace(x=x, y=y, z=z)) for x, y, z in points
                ],
                position=SimpleNamespace(x=track_id, y=2.0, z=3.0),
                velocity_3d=SimpleNamespace(x=0.1, y=0.2, z=np.nan),
            )
            for track_id, state, rows, points in people
        ],
    )


def test_a_message_becomes_a_frame():
    points = [(1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (7.0, 8.0, 9.0)]
    people = [(3, 1, pose(3, 0, 1), points), (5, 2, pose(5, 0, 1), [])]
    frame = PoseFrame.from_message(message_of(people))
    assert (frame.camera, frame.epoch, frame.stamp_s) == ("front", 4, 1.25)
    assert frame.image_size == (480, 640)
    assert frame.track_ids.tolist() == [3, 5]
    assert frame.observed.tolist() == [True, False]
    np.testing.assert_array_equal(frame.keypoints[1], pose(5, 0, 1)[:, :2])
    np.testing.assert_array_equal(frame.scores[0], pose(3, 0, 1)[:, 2])
    np.testing.assert_array_equal(frame.points[0], points)
    assert np.isnan(frame.points[1]).all()
    assert frame.positions.tolist() == [[3, 2, 3], [5, 2, 3]]
    np.testing.assert_array_equal(frame.velocities, [[0.1, 0.2, np.nan]] * 2)


@pytest.mark.parametrize(
    ("frame_3d", "up"), [("", [0, -1, 0]), ("camera", [0, -1, 0]), ("map", [0, 0, 1])]
)
def test_up_depends_on_the_frame_of_the_3d_values(frame_3d, up):
    message = message_of([])
    message.frame_3d = frame_3d
    assert PoseFrame.from_message(message).up.tolist() == up


def test_a_message_of_nobody_becomes_an_empty_frame():
    windows = PoseWindows()
    frame = PoseFrame.from_message(message_of([]))
    assert len(frame) == 0
    assert len(windows.update(frame)) == 0


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ([(3, 1, pose(3, 0, 1), []), (5, 1, pose(5, 0, 1)[:2], [])], r"numbers of .* \[2, 3\]"),
        ([(3, 1, pose(3, 0, 1), []), (3, 1, pose(3, 0, 1), [])], r"different, got \[3, 3\]"),
        ([(3, 1, np.full((K, 3), np.nan), [])], "at 1.25 s are not finite"),
    ],
    ids=["different numbers of keypoints", "a track twice", "a keypoint that is NaN"],
)
def test_a_frame_that_cannot_be_used_is_refused(people, words):
    with pytest.raises(ValueError, match=words):
        PoseFrame.from_message(message_of(people))


def test_a_parameter_out_of_range_is_refused():
    with pytest.raises(ConfigError, match=r"windows\.rate_hz is 0\.5, must be from 1 to 120"):
        WindowsConfig(rate_hz=0.5)
