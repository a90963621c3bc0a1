"""Print the constants of `poseflow_ros.bench.detector_model`, fitted to real detections.

GT is MOTChallenge text, DETECTIONS an archive as RecordedPoses reads it, both of one 10 Hz video
of a camera that does not move. docs/benchmarks.md describes the constants.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit, minimize
from scipy.special import logit

from poseflow_ros.bench.camera import Camera
from poseflow_ros.bench.camera_view import hidden_points, hidden_shares, look
from poseflow_ros.bench.crowd import Crowd
from poseflow_ros.bench.metrics import Frames, read_mot
from poseflow_ros.estimation.recorded import RecordedPoses
from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.tracking.assignment import assign
from poseflow_ros.tracking.similarity import box_iou

_SAME_IOU, _FRAME_S, _CERTAIN = 0.4, 0.1, 1e-3
_CLEAR, _COVERED = 0.1, 0.4  # hidden shares up to and from which people count as seen whole or not
_SHORT_LAGS, _LAGS = (0, 1, 2, 3, 5), (1, 2, 3, 5, 10, 20)  # frames
_STEADY = [5, 6, 11, 12]  # shoulders and hips, which a gait moves least
_ENDLESS_PX = np.array([np.inf, np.inf])


def collect(truth: Frames, recorded: RecordedPoses) -> list[dict[str, Any]]:
    """Return dictionaries of columns: people, those found, their duplicates, false positives."""
    people: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    double: list[dict[str, Any]] = []
    false: list[dict[str, Any]] = []
    for frame in range(len(recorded)):
        poses = recorded.estimate(np.zeros((1, 1, 3), np.uint8))
        ids, boxes = truth.get(frame, (np.zeros(0, int), np.zeros((0, 4))))
        shares = hidden_shares(boxes, -boxes[:, 3], _ENDLESS_PX)
        iou = box_iou(boxes, poses.boxes)
        pairs = assign(iou, _SAME_IOU)
        owners = np.full(len(poses), -1)
        if len(ids):
            owners[:] = np.where(iou.max(axis=0) > _SAME_IOU, iou.argmax(axis=0), -1)
        owners[pairs[:, 1]] = pairs[:, 0]
        keys = ids * 10**6 + frame
        for i, key in enumerate(keys):
            people.append({"key": key, "share": shares[i], "hit": i in pairs[:, 0]})
        for j, i in enumerate(owners):
            row = {"frame": frame, "box": poses.boxes[j], "score": _logit(poses.scores[j])}
            row["points"] = _logit(poses.keypoint_scores[j])
            if i < 0:
                false.append(row)
                continue
            row |= {"key": keys[i], "share": shares[i], **_seen(poses, j, boxes, i)}
            (found if j in pairs[:, 1] else double).append(row)
    tables = (people, found, double, false)
    return [{name: np.array([row[name] for row in rows]) for name in rows[0]} for rows in tables]


def _logit(score: FloatArray) -> FloatArray:
    return logit(np.clip(score, _CERTAIN, 1 - _CERTAIN))


def _seen(poses: Poses, j: int, boxes: FloatArray, i: int) -> dict[str, FloatArray]:
    """Return how detection j shows the person of box i, in shares of the person's height."""
    height = boxes[i, 3] - boxes[i, 1]
    points = np.broadcast_to(poses.keypoints[j], (len(boxes), 17, 2))
    hidden = hidden_points(points, boxes, -boxes[:, 3], _ENDLESS_PX)[i]
    place = (poses.keypoints[j] - (boxes[i, :2] + boxes[i, 2:]) / 2) / height
    return {"error": (poses.boxes[j] - boxes[i]) / height, "hidden": hidden, "place": place}


def _pairs(key: NDArray[Any], lag: int) -> tuple[IntArray, IntArray]:
    """Return the rows of people now, and `lag` frames before."""
    _, now, before = np.intersect1d(key, key + lag, return_indices=True)
    return np.asarray(now), np.asarray(before)


def _decay(lags: Iterable[int], values: list[float]) -> tuple[float, float]:
    """Return a and m of values that fall as a exp(-t / m)."""
    times_s = np.array(list(lags)) * _FRAME_S
    (a, m), _ = curve_fit(lambda t, a, m: a * np.exp(-t / m), times_s, values, (0.9, 0.5),
                          bounds=((0, 0.01), (1, 60)))  # fmt: skip
    return float(a), float(m)


def _memory_s(key: NDArray[Any], values: FloatArray) -> float:
    """Return how long (R, ...) values are remembered: the decay of their autocorrelation."""
    rest = values.reshape(len(key), -1) - values.reshape(len(key), -1).mean(axis=0)
    rows = [_pairs(key, lag) for lag in _SHORT_LAGS]
    products = [(rest[now] * rest[before]).mean() / (rest**2).mean() for now, before in rows]
    return _decay(_SHORT_LAGS, products)[1]


def fit(truth: Frames, recorded: RecordedPoses) -> dict[str, Any]:
    """Return the model's constants by name."""
    people, found, double, false = collect(truth, recorded)
    share, hit = people["share"], people["hit"].astype(float)
    miss = minimize(lambda p: np.logaddexp(0, (2 * hit - 1) * (p[0] + p[1] * share)).sum(), (0, 1))
    whole, covered = found["share"] < _CLEAR, found["share"] >= _COVERED
    line = np.polyfit(found["share"], found["score"], 1)
    doubled = np.isin(found["key"], double["key"]).astype(float)
    seen = np.where(found["hidden"], np.nan, found["points"])
    usual, spread = np.nanmean(seen, axis=0), np.nanstd(seen, axis=0)
    height = np.median(np.concatenate([b[:, 3] - b[:, 1] for _, b in truth.values()]))
    size = np.log((false["box"][:, 3] - false["box"][:, 1]) / height)
    often, life_s = _decay(_LAGS, [_persisting(false, lag) for lag in _LAGS])
    return {
        "miss": miss.x,
        "miss_memory_s": _memory_s(people["key"][share < _CLEAR], hit[share < _CLEAR]),
        "score": (line[1], line[0], (found["score"] - np.polyval(line, found["share"])).std()),
        "score_memory_s": _memory_s(found["key"][whole], found["score"][whole]),
        "lowest_score": min(found["score"].min(), false["score"].min()),
        "box_std": _robust_std(found["error"][whole]),
        "box_std_covered": _robust_std(found["error"][covered]),
        "box_shared": np.corrcoef(found["error"][whole].T)[[0, 1], [2, 3]],
        "box_memory_s": _memory_s(found["key"][whole], found["error"][whole]),
        **_jitter(found),
        "keypoint_score": _pairwise(usual),
        "keypoint_score_std": _pairwise(spread),
        "keypoint_score_shared": (np.corrcoef(found["points"].T).sum() - 17) / (17 * 16),
        "keypoint_score_hidden": np.nanmean((found["points"] - usual)[found["hidden"]]),
        "duplicates": doubled.mean(),
        "duplicate_memory_s": _memory_s(found["key"], doubled),
        "duplicate_score": double["score"].mean() - found["score"].mean(),
        "duplicate_keypoint_score": (double["points"] - usual).mean(),
        "duplicate_height": 1 + (double["error"][:, 3] - double["error"][:, 1]).mean(),
        "false_per_image": len(false["frame"]) / len(recorded),
        "false_seen": often,
        "false_life_s": life_s,
        "false_size": (size.mean(), size.std()),
        "false_score": (false["score"].mean(), false["score"].std()),
        "false_keypoint_score": (false["points"] - usual).mean(),
    }


def _robust_std(errors: FloatArray) -> FloatArray:
    """Return the standard deviation that fits the usual errors, without the rare large ones."""
    rest = np.abs(errors - np.median(errors, axis=0))
    return np.asarray(1.4826 * np.median(rest, axis=0))


def _persisting(false: dict[str, FloatArray], lag: int) -> float:
    """Return the share of false positives that were there `lag` frames before."""
    same = box_iou(false["box"], false["box"]) > 0.5
    same &= false["frame"][:, None] - false["frame"] == lag
    return float(same.any(axis=1).mean())


def _pairwise(values: FloatArray) -> FloatArray:
    """Return 9 of 17 keypoints' values: the nose's and the means of left and right."""
    return np.r_[values[0], values[1:].reshape(8, 2).mean(axis=1)]


def _jitter(found: dict[str, FloatArray]) -> dict[str, Any]:
    """Return the keypoints' error, from differences in time that a steady walk cancels.

    Of an error with autocorrelation r, differences have the variances 2 (1 - r) and 2 (1 - r^2),
    second differences 6 - 8 r + 2 r^2, times its own.
    """
    place, key, hidden = found["place"], found["key"], found["hidden"].astype(int)
    one, two = (np.subtract(*(place[r] for r in _pairs(key, k)))[:, _STEADY].var() for k in (1, 2))
    r = two / one - 1
    now, before = _pairs(key, 1)
    mid = now[np.isin(key[now] + 1, key)]
    before = before[np.isin(key[now] + 1, key)]
    after = _pairs(key, 1)[0][np.isin(_pairs(key, 1)[1], mid)]
    second = ((2 * place[mid] - place[before] - place[after]) ** 2).mean(axis=-1)
    second /= 6 - 8 * r + 2 * r**2
    times = hidden[mid] + hidden[before] + hidden[after]
    clear = np.nanmean(np.where(times == 0, second, np.nan), axis=0)
    covered = np.nanmean((second / clear)[times == 3])
    gait = _gait() / (6 - 8 * r + 2 * r**2)
    return {
        "keypoint_std": np.sqrt(_pairwise(np.maximum(clear - gait, 0))),
        "keypoint_hidden_factor": np.sqrt(covered),
        "keypoint_memory_s": -_FRAME_S / np.log(r),
    }


def _gait() -> FloatArray:
    """Return the (17,) mean squared second differences of people who walk without errors."""
    camera = Camera(20)
    crowd = Crowd(camera, np.random.default_rng(0))
    places = []
    for k in range(300):
        view = look(camera, crowd.at(k * _FRAME_S))
        x1, y1, x2, y2 = view.boxes.T
        centres = np.stack([x1 + x2, y1 + y2], axis=1)[:, None] / 2
        places.append((view.keypoints - centres) / (y2 - y1)[:, None, None])
    return np.asarray((np.diff(np.array(places), 2, axis=0) ** 2).mean(axis=(0, 1, 3)))


def main() -> None:
    """Print them as the call of the dataclass."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("gt", type=Path, metavar="GT")
    parser.add_argument("detections", type=Path, metavar="DETECTIONS")
    args = parser.parse_args()
    for name, value in fit(read_mot(args.gt), RecordedPoses(args.detections)).items():
        values = tuple(round(float(v), 3) for v in np.atleast_1d(value))
        print(f"    {name}={values if len(values) > 1 else values[0]},")


if __name__ == "__main__":
    main()
