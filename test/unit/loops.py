"""The formulas once more as plain loops over numbers, to compare the vectorised ones with."""

import itertools
import math

import numpy as np


def pairs_of(function, rows, columns):
    result = np.zeros((len(rows), len(columns)))
    for m, row in enumerate(rows):
        for n, column in enumerate(columns):
            result[m, n] = function(row, column)
    return result


def box_iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / either if either > 0 else 0.0


def box_correspondence_iou(a, b, matches):
    both = either = 0
    for x_prev, y_prev, x_now, y_now in matches:
        starts = a[0] <= x_prev <= a[2] and a[1] <= y_prev <= a[3]
        ends = b[0] <= x_now <= b[2] and b[1] <= y_now <= b[3]
        both += starts and ends
        either += starts or ends
    return both / either if either else 0.0


def around(point, mag):
    return (point[0] - mag, point[1] - mag, point[0] + mag, point[1] + mag)


def mean_of_best(values, num):
    best = sorted(values, reverse=True)[:num]
    return sum(best) / len(best)


def pose_iou(a, b, num, mag):
    values = [box_iou(around(p, mag), around(q, mag)) for p, q in zip(a, b, strict=True)]
    return mean_of_best(values, num)


def pose_correspondence_iou(a, b, matches, num, mag):
    values = [
        box_correspondence_iou(around(p, mag), around(q, mag), matches)
        for p, q in zip(a, b, strict=True)
    ]
    return mean_of_best(values, num)


# COCO's constants, sigma of each keypoint; of a standing person's box, relative to height squared.
SIGMAS = [
    *(0.026, 0.025, 0.025, 0.035, 0.035),
    *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
    *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
]
AREA_OF_HEIGHT = 0.35


def oks_variance(height, k):
    return AREA_OF_HEIGHT * height**2 * (2 * SIGMAS[k]) ** 2


def pose_distance(a, b):
    """Return 1 / K + 1 / H of two poses, each the Poses of one."""
    height = a.boxes[0, 3] - a.boxes[0, 1]
    together = near = 0.0
    for k in range(17):
        dx, dy = abs(a.keypoints[0, k] - b.keypoints[0, k])
        if max(dx, dy) <= height / 10 / 2:
            sure_a, sure_b = a.keypoint_scores[0, k] / 0.3, b.keypoint_scores[0, k] / 0.3
            together += math.tanh(sure_a) * math.tanh(sure_b)
        near += math.exp(-(dx**2 + dy**2) / (2 * oks_variance(height, k)))
    return 1 / together + 1 / near if together and near else math.inf


def pose_score(pose):
    scores = pose.keypoint_scores[0].tolist()
    return pose.scores[0] + sum(scores) / len(scores) + max(scores)


def near_in_time(a, b, wait_s):
    """Return whether b may be the next pose of a: 0.8 heights a second, alike by more than 0.5."""
    height = a.boxes[0, 3] - a.boxes[0, 1]
    alike = weights = 0.0
    for k in range(17):
        dx, dy = a.keypoints[0, k] - b.keypoints[0, k]
        variance = oks_variance(height, k) + (0.8 * wait_s * height) ** 2
        weight = math.sqrt(a.keypoint_scores[0, k] * b.keypoint_scores[0, k])
        alike += weight * math.exp(-(dx**2 + dy**2) / (2 * variance))
        weights += weight
    return alike > 0.5 * weights


def is_flow(start, steps, waits_s, choices):
    """Return whether each pose chosen is near the one before and adds at least 0.9."""
    before = start
    for poses, wait_s, choice in zip(steps, waits_s, choices, strict=False):
        now = poses[choice : choice + 1]
        if not near_in_time(before, now, wait_s) or pose_score(now) < 0.9:
            return False
        before = now
    return True


def flow_score(steps, choices):
    return sum(pose_score(poses[i : i + 1]) for poses, i in zip(steps, choices, strict=False))


def best_flow_score(start, steps, waits_s):
    """Return the greatest sum of scores of all flows of every length."""
    return max(
        flow_score(steps, choices)
        for length in range(len(steps) + 1)
        for choices in itertools.product(*(range(len(poses)) for poses in steps[:length]))
        if is_flow(start, steps, waits_s, choices)
    )


def oks(a, scores_a, b, scores_b, variances):
    alike = total = 0.0
    for p, s, q, t, variance in zip(a, scores_a, b, scores_b, variances, strict=True):
        weight = (s * t) ** 0.5
        squared = (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2
        alike += weight * math.exp(-squared / (2 * variance))
        total += weight
    return alike / total if total else 0.0
