"""Waving of simulated arms with noise, and of real people."""

import contextlib
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from bodies import LEFT, RIGHT, image_of, raised_arm, standing, waving_arm, with_arm
from frames import CONFIRMED, frame_of

from poseflow_ros.actions.behaviors import BehaviorRecognizer
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.kinds import Behavior
from poseflow_ros.config import Config, EstimatorConfig, MovenetConfig
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.imaging.video import open_source
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.tracking.cues import Cues
from poseflow_ros.tracking.tracker import PoseFlowTracker

SECONDS = 4.0
PEOPLE = 40


def people_over_time(bodies_at, fps, seed, *, noise_px=1.5, missing=0.05, people=PEOPLE):
    """Return for each of N people the images in which left and right waving was active.

    Args:
        bodies_at: (person's generator) -> function of time, seconds -> body.
        noise_px: standard deviation of the keypoints; people are 200 pixels high.
    """
    rng = np.random.default_rng(seed)
    motions = [bodies_at(rng) for _ in range(people)]
    recognizer, found = BehaviorRecognizer(), np.zeros((people, 2), bool)
    for n in range(int(SECONDS * fps)):
        seen = []
        for person, motion in enumerate(motions):
            image = image_of(motion(n / fps))
            image[:, :2] += rng.normal(scale=noise_px, size=(17, 2))
            if rng.random() >= missing:
                seen.append((person, CONFIRMED, image))
        result = recognizer.update(frame_of(seen, 100.0 + n / fps))
        waving = result.active[:, [Behavior.LEFT_WAVING, Behavior.RIGHT_WAVING]]
        found[result.track_ids] |= waving
    return found


def wave(rng):
    """A hand that waves with 1 to 2.5 Hz, 20 to 45 degrees to each side."""
    frequency, phase = rng.uniform(1.0, 2.5), rng.uniform(0.0, 2 * np.pi)
    swing, middle = np.deg2rad(rng.uniform(20.0, 45.0)), np.deg2rad(rng.uniform(-15.0, 15.0))
    return lambda t: waving_arm(
        standing(), RIGHT, middle + swing * np.sin(2 * np.pi * frequency * t + phase)
    )


def hold_up(rng):
    """A raised hand, or both, that sway a little."""
    frequency, sway = rng.uniform(0.2, 0.8), np.deg2rad(rng.uniform(0.0, 8.0))

    def body(t):
        angle = sway * np.sin(2 * np.pi * frequency * t)
        return waving_arm(raised_arm(standing(), LEFT), RIGHT, angle)

    return body


def walk(rng):
    """Arms that swing as those of walkers do, seen from any side."""
    frequency, phase = rng.uniform(0.8, 1.4), rng.uniform(0.0, 2 * np.pi)
    swing = np.deg2rad(rng.uniform(15.0, 40.0))
    heading = rng.uniform(0.0, 2 * np.pi)

    def body(t):
        angle = swing * np.sin(2 * np.pi * frequency * t + phase)
        x, z = np.cos(heading) * np.sin(angle), np.sin(heading) * np.sin(angle)
        once = with_arm(standing(), LEFT, (x, np.cos(angle), z), (x, np.cos(angle), z))
        return with_arm(once, RIGHT, (-x, np.cos(angle), -z), (-x, np.cos(angle), -z))

    return body


def raise_and_lower(rng):
    """A hand that goes up, stays, and goes down again."""
    up, down = rng.uniform(0.3, 1.0), rng.uniform(1.5, 3.5)

    def body(t):
        share = np.clip(2.0 * (t - up), 0.0, 1.0) - np.clip(2.0 * (t - down), 0.0, 1.0)
        angle = np.pi * (1.0 - share)
        return with_arm(
            standing(),
            RIGHT,
            (-np.sin(angle), -np.cos(angle), 0),
            (-np.sin(angle), -np.cos(angle), 0),
        )

    return body


def nod_the_forearm(rng):
    """A raised forearm that moves up and down, as to beckon or to hit."""
    frequency = rng.uniform(1.0, 2.5)

    def body(t):
        angle = np.deg2rad(35.0) * (1.0 + np.sin(2 * np.pi * frequency * t))
        return with_arm(standing(), RIGHT, (-0.2, 0.3, -1), (0.0, -np.cos(angle), -np.sin(angle)))

    return body


@pytest.mark.parametrize("fps", [8, 15, 30])
def test_a_waving_hand_is_found(fps):
    left, right = people_over_time(wave, fps, seed=fps).mean(axis=0)
    print(f"\n{fps} fps: recall {right:.3f}, other hand {left:.3f}")
    assert right >= 0.95
    assert left == 0.0


@pytest.mark.parametrize("fps", [8, 15, 30])
@pytest.mark.parametrize("motion", [hold_up, walk, raise_and_lower, nod_the_forearm])
def test_other_motions_of_the_arms_are_not_waving(motion, fps):
    share = people_over_time(motion, fps, seed=fps).any(axis=1).mean()
    print(f"\n{fps} fps, {motion.__name__}: {share:.3f}")
    assert share <= 0.025


def test_waving_begins_within_two_seconds_and_ends_after_the_window():
    recognizer = BehaviorRecognizer()
    active = []
    for n in range(30 * 8):
        t = n / 30
        angle = 0.6 * np.sin(2 * np.pi * 1.5 * t) if t < 4.0 else 0.0
        body = waving_arm(standing(), RIGHT, angle)
        result = recognizer.update(frame_of([(1, CONFIRMED, image_of(body))], t))
        if result.active[0, Behavior.RIGHT_WAVING]:
            active.append(t)
    assert active[0] <= 2.0
    assert 4.0 <= active[-1] <= 6.0


@pytest.fixture(scope="module")
def pedestrians_tracked(sample_video):
    """Frames of 8 s of the sample video, 10 fps: real people, none of whom waves."""
    config = Config(
        estimator=EstimatorConfig(name="movenet", threads=2), movenet=MovenetConfig(input_size=512)
    )
    tracker, frames = PoseFlowTracker(config.tracker, COCO_17), []
    with contextlib.closing(make_estimator(config)) as estimator:
        for n, (image, _) in enumerate(islice(open_source(sample_video), 80)):
            poses = estimator.estimate(image)
            tracked = tracker.update(poses, Cues.none(len(poses)), n / 10)
            frames.append(PoseFrame.from_tracked(tracked, n / 10, image.shape[:2]))
    return frames


def resampled(frames, fps):
    """Return the tracks at another rate: keypoints and scores linearly between the images."""
    stamps = np.arange(frames[0].stamp_s, frames[-1].stamp_s, 1.0 / fps)
    seen = {}
    for frame in frames:
        for i in np.flatnonzero(frame.observed):
            row = np.column_stack([frame.keypoints[i], frame.scores[i]])
            seen.setdefault(int(frame.track_ids[i]), []).append((frame.stamp_s, row.ravel()))
    people = [[] for _ in stamps]
    for track_id, rows in seen.items():
        times, values = (np.array(column) for column in zip(*rows, strict=True))
        columns = [np.interp(stamps, times, column) for column in values.T]
        for n, row in enumerate(np.transpose(columns).reshape(-1, 17, 3)):
            if times[0] <= stamps[n] <= times[-1]:
                people[n].append((track_id, CONFIRMED, row))
    size = frames[0].image_size
    return [frame_of(p, t, image_size=size) for p, t in zip(people, stamps, strict=True)]


def waving_times(frames):
    """Return {track id: stamps at which a hand waved}."""
    recognizer, found = BehaviorRecognizer(), {}
    for frame in frames:
        result = recognizer.update(frame)
        waving = result.active[:, [Behavior.LEFT_WAVING, Behavior.RIGHT_WAVING]].any(axis=1)
        for track_id in result.track_ids[waving].tolist():
            found.setdefault(track_id, []).append(frame.stamp_s)
    return found


def with_waving_arm(frame, track_id):
    """Return the frame in which a person's right forearm is one that waves with 1.5 Hz."""
    keypoints, scores = frame.keypoints.copy(), frame.scores.copy()
    for i in np.flatnonzero(frame.track_ids == track_id):
        torso = np.linalg.norm(keypoints[i, [5, 6]].mean(axis=0) - keypoints[i, [11, 12]].mean(0))
        angle = np.deg2rad(35.0) * np.sin(2 * np.pi * 1.5 * frame.stamp_s)
        # The wrist has the noise of the real elbow.
        keypoints[i, 10] = keypoints[i, 8] + 0.5 * torso * np.array(
            [np.sin(angle), -np.cos(angle)]
        )
        scores[i, 10] = scores[i, 8]
    return replace(frame, keypoints=keypoints, scores=scores)


@pytest.mark.slow
def test_walking_people_do_not_wave(pedestrians_tracked):
    seconds = sum(int(frame.observed.sum()) for frame in pedestrians_tracked) / 10
    assert seconds > 20
    assert waving_times(pedestrians_tracked) == {}


@pytest.mark.slow
@pytest.mark.parametrize("fps", [8, 10, 15, 30])
def test_a_waving_arm_of_a_walking_person_is_found(pedestrians_tracked, fps):
    frames = resampled(pedestrians_tracked, fps)
    ids, counts = np.unique(np.concatenate([f.track_ids for f in frames]), return_counts=True)
    longest = ids[np.argsort(counts)[-3:]].tolist()
    assert counts.max() / fps > 6
    for track_id in longest:
        found = waving_times([with_waving_arm(frame, track_id) for frame in frames])
        assert list(found) == [track_id]
        stamps = [frame.stamp_s for frame in frames if track_id in frame.track_ids]
        delay_s = found[track_id][0] - stamps[0]
        print(f"\n{fps} fps, track {track_id}: after {delay_s:.1f} s of {len(stamps) / fps:.1f} s")
        assert delay_s <= 2.0
