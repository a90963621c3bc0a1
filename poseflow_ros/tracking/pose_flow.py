"""Pose flows (Xiu et al., Pose Flow: Efficient Online Pose Tracking, BMVC 2018).

A pose flow is the sequence of one person's poses. The paper builds flows over a time window and
merges the flows of one person by flow NMS. The formulas are those of the paper, with distances
relative to the size of the person.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.similarity import oks, oks_variances

# Pose distance of RMPE (Fang et al., ICCV 2017): keypoints coincide if the second lies in a box of
# a tenth of the person's size around the first; scale of the scores; weight of the spatial term.
_KEYPOINT_BOX = 0.1
_SCORE_SCALE = 0.3
_SPATIAL_WEIGHT = 1.0
# Poses with a smaller distance are of one person; minimum number of common frames of two flows.
SAME_PERSON = 0.4
_LEAST_OBSERVATIONS = 3.0
# A flow continues with a pose of at least this OKS, allowing this walking speed in heights per
# second, if the pose adds at least this to the sum of `pose_scores`.
_NEAR_IN_TIME = 0.5
_WALKING = 0.8
_LEAST_GAIN = 0.9


def pose_scores(poses: Poses, skeleton: Skeleton) -> FloatArray:
    """Return (N,) in [0, 3], s(P) of the paper: person score + mean + maximum keypoint score."""
    keypoint_scores = poses.keypoint_scores[:, : skeleton.n_body]
    return poses.scores + keypoint_scores.mean(axis=1) + keypoint_scores.max(axis=1)


def pose_distances(a: Poses, b: Poses, skeleton: Skeleton) -> FloatArray:
    """Return (P,) distances of pairs of poses of one frame: 1 / K + 1 / H.

    K is the number of coinciding body keypoints, weighted by their scores. H is the proximity of
    all keypoints, in units of the OKS standard deviation of the larger person. The distance is
    infinite if no keypoints coincide.
    """
    a, b = (poses.first_keypoints(skeleton.n_body) for poses in (a, b))
    heights = np.maximum(a.heights, b.heights)
    dx = np.abs(a.keypoints[..., 0] - b.keypoints[..., 0])
    dy = np.abs(a.keypoints[..., 1] - b.keypoints[..., 1])
    together = np.maximum(dx, dy) <= (_KEYPOINT_BOX / 2 * heights)[:, None]
    sure = np.tanh(a.keypoint_scores / _SCORE_SCALE) * np.tanh(b.keypoint_scores / _SCORE_SCALE)
    keypoints = (together * sure).sum(axis=1)
    variances = oks_variances(heights, skeleton.body_sigmas)
    near = np.exp(-(dx * dx + dy * dy) / (2 * variances)).sum(axis=1)
    with np.errstate(divide="ignore", over="ignore"):
        return 1 / keypoints + _SPATIAL_WEIGHT / near


def build_flow(
    start: Poses, steps: Sequence[Poses], waits_s: Sequence[float], skeleton: Skeleton
) -> list[int]:
    """Return the index of the pose in each step that continues the flow, until it ends.

    The result is the sequence of similar poses with the maximum sum of `pose_scores`. A pose that
    adds too little ends the flow.

    Args:
        start: the single pose at which the flow starts.
        steps: the poses of consecutive frames, forward or backward in time.
        waits_s: (len(steps),) seconds between consecutive frames.
        skeleton: of the poses.
    """
    before, totals = start, np.zeros(1)
    came_from: list[IntArray] = []
    best_total, best_step, best_end = 0.0, 0, 0
    for poses, wait_s in zip(steps, waits_s, strict=True):
        near = _near_in_time(before, poses, wait_s, skeleton)
        reached = np.where(near, totals[:, None], -np.inf)
        gains = pose_scores(poses, skeleton)
        gains[gains < _LEAST_GAIN] = -np.inf
        came_from.append(reached.argmax(axis=0))
        before, totals = poses, reached.max(axis=0, initial=-np.inf) + gains
        if not np.isfinite(totals).any():
            break
        if totals.max() > best_total:
            best_total, best_step, best_end = totals.max(), len(came_from), int(totals.argmax())
    flow: list[int] = []
    for choices in reversed(came_from[:best_step]):
        flow.append(best_end)
        best_end = int(choices[best_end])
    return flow[::-1]


def _near_in_time(a: Poses, b: Poses, wait_s: float, skeleton: Skeleton) -> NDArray[np.bool_]:
    """Return (M, N), true if a pose can be the next one of the same person, `wait_s` later."""
    a, b = (poses.first_keypoints(skeleton.n_body) for poses in (a, b))
    heights = a.heights
    walked = _WALKING * wait_s * heights[:, None]
    variances = oks_variances(heights, skeleton.body_sigmas) + walked**2
    similarity = oks(
        a.keypoints[:, None],
        a.keypoint_scores[:, None],
        b.keypoints,
        b.keypoint_scores,
        variances[:, None],
    )
    return similarity > _NEAR_IN_TIME


class FlowSuppression:
    """Incremental flow NMS: finds flows of the same person.

    The distance of two flows is the median distance of their poses over common frames. It is below
    a threshold if more than half of the distances are, so it is sufficient to count frames and no
    past poses are stored.
    """

    def __init__(self) -> None:
        self._near: dict[frozenset[int], float] = {}

    def update(
        self,
        track_ids: IntArray,
        observations: FloatArray,
        independence: float,
        alike: NDArray[np.bool_],
        remembered: IntArray,
    ) -> list[tuple[int, int]]:
        """Return pairs of rows that are one person, the longer flow first.

        Args:
            track_ids: (M,) of the flows observed in this frame.
            observations: (M,) number of independent observations of each flow.
            independence: weight of this frame, in [0, 1].
            alike: (M, M) true for pairs whose poses in this frame are of one person.
            remembered: ids of all flows that still exist.
        """
        if self._near:
            alive = set(remembered.tolist())
            self._near = {pair: n for pair, n in self._near.items() if alive.issuperset(pair)}
        same = []
        for a, b in np.argwhere(np.triu(alike, 1)).tolist():
            longer, shorter = (a, b) if observations[a] >= observations[b] else (b, a)
            pair = frozenset((int(track_ids[a]), int(track_ids[b])))
            self._near[pair] = near = self._near.get(pair, 0.0) + independence
            # The number of common frames is at most the length of the shorter flow.
            if near >= _LEAST_OBSERVATIONS and near > observations[shorter] / 2:
                same.append((longer, shorter))
        return same
