"""Assignment of detections to tracks."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from poseflow_ros.poses import FloatArray, IntArray


def assign(similarity: FloatArray, threshold: float) -> IntArray:
    """Return the pairs above the threshold with the maximum total similarity.

    Pairs are gated before the assignment is solved, so a pair below the threshold cannot displace
    another pair.

    Args:
        similarity: (M, N), higher is better.
        threshold: pairs must be greater than this, at least 0.

    Returns:
        (P, 2) indices (row, column), each row and column at most once.
    """
    possible = similarity > threshold
    if not possible.any():
        return np.zeros((0, 2), np.int64)
    gated = np.where(possible, similarity, 0.0)
    rows, columns = linear_sum_assignment(gated, maximize=True)
    keep = gated[rows, columns] > 0
    return np.stack([rows[keep], columns[keep]], axis=1)
