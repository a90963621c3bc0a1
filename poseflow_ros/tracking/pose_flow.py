"""Pose flows (Xiu et al., Pose Flow: Efficient Online Pose Tracking, BMVC 2018).

A pose flow is the sequence of one person's poses. The paper builds flows over a window of time
and lets flow NMS merge those of one person; the formulas here are the paper's, the distances made
independent of how large people are.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray, Poses
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.similarity import oks, oks_variances

# Two keypoints are one where the second lies in the box around the first, a tenth of the
# person's size (of RMPE, Fang et al., ICCV 2017); how fast scores count as sure; the weight of
# the spatial part.
_KEYPOINT_BOX = 0.1
_SCORE_SCALE = 0.3
_SPATIAL_WEIGHT = 1.0
# Poses nearer than this are of one person; and a chance meeting is not taken for a flow.
SAME_PERSON = 0.4
_LEAST_OBSERVATIONS = 3.0
# A flow goes on to a pose at least this alike, people walking up to so many heights a second,
# that adds at least so much to the sum of `pose_scores`.
_NEAR_IN_TIME = 0.5
_WALKING = 0.8
_LEAST_GAIN = 0.9


def pose_scores(poses: Poses, skeleton: Skeleton) -> FloatArray:
    """Return (N,) in [0, 3], the paper's s(P): of the box, and mean and best of the body's."""
    keypoint_scores = poses.keypoint_scores[:, : skeleton.n_body]
    return poses.scores + keypoint_scores.mean(axis=1) + keypoint_scores.max(axis=1)


def pose_distances(a: Poses, b: Poses, skeleton: Skeleton) -> FloatArray:
    """Return (P,), how unlike the poses of one frame are, row by row: 1 / K + 1 / H.

    K counts the body keypoints that fall together and are sure in both poses, H how near all are
    to each other, here in units of what OKS allows to the larger person; infinite where no
    keypoints fall together.
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
    """Return which pose of each step continues the flow, up to where it ends.

    Of all sequences in which each pose is near enough to the one before, that of the greatest sum
    of `pose_scores`; a pose that adds too little ends it.

    Args:
        start: the one pose where the flow begins.
        steps: the poses of one frame after another, forward or backward in time.
        waits_s: (len(steps),) seconds from one to the next.
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
    """Return (M, N), true where a pose may be the next of the same person, `wait_s` later."""
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
    """Flow NMS as poses come in: finds flows that are of one person.

    The distance of two flows is the median of their poses' distances over the frames that both
    have, so it lies below a threshold where more than half of those do: counting is enough, and
    no past pose is kept.
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
        """Return pairs of rows, (one, the same person again), the longer flow first.

        Args:
            track_ids: (M,) of the flows seen in this frame.
            observations: (M,) independent observations of them so far.
            independence: how much this frame counts, in [0, 1].
            alike: (M, M) whether the poses of two in this frame are of one person.
            remembered: ids of all flows that may still be seen again.
        """
        if self._near:
            alive = set(remembered.tolist())
            self._near = {pair: n for pair, n in self._near.items() if alive.issuperset(pair)}
        same = []
        for a, b in np.argwhere(np.triu(alike, 1)).tolist():
            longer, shorter = (a, b) if observations[a] >= observations[b] else (b, a)
            pair = frozenset((int(track_ids[a]), int(track_ids[b])))
            self._near[pair] = near = self._near.get(pair, 0.0) + independence
            # Both have a pose in as many frames at most as the shorter was seen in.
            if near >= _LEAST_OBSERVATIONS and near > observations[shorter] / 2:
                same.append((longer, shorter))
        return same
