"""The formulas as plain loops over numbers, for comparison with the vectorized ones."""

import itertools
import math

import numpy as np
from scipy.linalg import expm


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
    height = max(pose.boxes[0, 3] - pose.boxes[0, 1] for pose in (a, b))
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


class ImmFilter:
    """Blom and Bar-Shalom's cycle for one track, with 2 x 2 matrices of each coordinate.

    A coordinate's covariances are the mean of those of x and y, which are taken for alike.

    Args:
        position: (x, y) pixels, of the first measurement.
        models: of each the velocity's standard deviation, pixels per second, and its correlation
            time, seconds.
        rates: (J, J) of the Markov process that changes the model, per second; rows sum to 0.
        probabilities: of the models at first.
        noise: the standard deviation of a measured position, pixels.
        least: no model's probability falls below this.
    """

    def __init__(self, position, models, rates, probabilities, noise, least):
        self.models, self.rates, self.noise, self.least = models, rates, noise, least
        self.probabilities = list(probabilities)
        self.states = [[np.array([c, 0.0]) for c in position] for _ in models]
        self.covariances = [np.diag([noise**2, speed**2]) for speed, _ in models]

    def predict(self, dt_s, mixing):
        if mixing:
            self._mix(dt_s)
        for j, (speed, memory_s) in enumerate(self.models):
            transition, noise = van_loan(dt_s, speed, memory_s)
            self.states[j] = [transition @ state for state in self.states[j]]
            self.covariances[j] = transition @ self.covariances[j] @ transition.T + noise

    def _mix(self, dt_s):
        n = range(len(self.models))
        transitions = expm(dt_s * np.array(self.rates))
        probabilities = [sum(transitions[i, j] * self.probabilities[i] for i in n) for j in n]
        states, covariances = [], []
        for j in n:
            weights = [transitions[i, j] * self.probabilities[i] / probabilities[j] for i in n]
            mixed = [sum(weights[i] * self.states[i][c] for i in n) for c in (0, 1)]
            spreads = [
                sum(
                    weights[i]
                    * (
                        self.covariances[i]
                        + np.outer(self.states[i][c] - mixed[c], self.states[i][c] - mixed[c])
                    )
                    for i in n
                )
                for c in (0, 1)
            ]
            states.append(mixed)
            covariances.append(sum(spreads) / 2)
        self.states, self.covariances, self.probabilities = states, covariances, probabilities

    def densities(self, measured):
        """Return for each model the density of a measured position, per square pixel."""
        values = []
        for states, covariance in zip(self.states, self.covariances, strict=True):
            variance = covariance[0, 0] + self.noise**2
            squared = sum((measured[c] - states[c][0]) ** 2 for c in (0, 1))
            values.append(math.exp(-squared / variance / 2) / (2 * math.pi * variance))
        return values

    def log_likelihood(self, measured, scale):
        """Return the log of the density relative to 1 / (2 pi scale^2)."""
        pairs = zip(self.probabilities, self.densities(measured), strict=True)
        return math.log(sum(p * density for p, density in pairs) * 2 * math.pi * scale**2)

    def correct(self, measured):
        pairs = zip(self.probabilities, self.densities(measured), strict=True)
        posterior = [p * density for p, density in pairs]
        posterior = [max(value / sum(posterior), self.least) for value in posterior]
        self.probabilities = [value / sum(posterior) for value in posterior]
        look = np.array([[1.0, 0.0]])
        for j, covariance in enumerate(self.covariances):
            innovation = look @ covariance @ look.T + self.noise**2
            gain = covariance @ look.T @ np.linalg.inv(innovation)
            self.states[j] = [
                state + gain[:, 0] * (measured[c] - state[0])
                for c, state in enumerate(self.states[j])
            ]
            rest = np.eye(2) - gain @ look  # Joseph's form
            self.covariances[j] = rest @ covariance @ rest.T + self.noise**2 * gain @ gain.T

    def expected(self):
        """Return (2, 2) over the models: position and velocity, of x and of y."""
        pairs = zip(self.probabilities, self.states, strict=True)
        return sum(p * np.array(states).T for p, states in pairs)

    def position_variance(self):
        """Return the variance of the mixture's position, the mean of x and y."""
        middle = self.expected()[0]
        total = 0.0
        for p, states, covariance in zip(
            self.probabilities, self.states, self.covariances, strict=True
        ):
            apart = [(states[c][0] - middle[c]) ** 2 for c in (0, 1)]
            total += p * (covariance[0, 0] + sum(apart) / 2)
        return total


def van_loan(dt_s, speed, memory_s):
    """Return the transition of position and velocity, and the covariance of what it adds.

    The velocity is an Ornstein-Uhlenbeck process (Van Loan, Computing integrals involving the
    matrix exponential, IEEE Transactions on Automatic Control 23, 1978).
    """
    drift = np.array([[0, 1], [0, -1 / memory_s]])
    noise = np.diag([0, 2 * speed**2 / memory_s])
    both = expm(dt_s * np.block([[-drift, noise], [np.zeros((2, 2)), drift.T]]))
    transition = both[2:, 2:].T
    return transition, transition @ both[:2, 2:]
