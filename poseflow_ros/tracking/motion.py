"""Motion prediction: an interacting multiple model (IMM) filter for each track.

Each track has two Kalman filters: one for walking, one for running, jumping and turning. The
probability of each model depends on how well it predicted the measurements, so one set of
constants is valid for pedestrians and athletes (Blom and Bar-Shalom, The interacting multiple
model algorithm for systems with Markovian switching coefficients, IEEE Transactions on Automatic
Control 33, 1988).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.poses import FloatArray, IntArray

ComplexArray = NDArray[np.complex128]

# Standard deviation of a measured position, in body scales.
_POSITION_NOISE = 0.06
# Of the models "walking" and "agile": standard deviation of the velocity, in body scales per
# second, and its correlation time, in seconds.
_SPEEDS = np.array([0.65, 3.0])
_VELOCITY_MEMORY_S = np.array([8.0, 0.7])
# Transition rates from walking to agile and back, per second.
_SWITCH_RATES = np.array([0.15, 0.8])
_LEAST_PROBABILITY = 1e-6

_STATIONARY = _SWITCH_RATES[::-1] / _SWITCH_RATES.sum()
_N_MODELS = len(_SPEEDS)


@dataclass(slots=True, eq=False)
class Motion:
    """J = 2 Kalman filters for each of M tracks; x and y are independent with equal variance.

    The velocity of a model is an Ornstein-Uhlenbeck process, integrated exactly: one step of 1 s
    gives the same covariance as ten steps of 0.1 s, and the velocity of an unobserved track decays
    (Uhlenbeck and Ornstein, Physical Review 36, 1930).

    Attributes:
        means: (M, J, 2) position in pixels and velocity in pixels per second, each x + i y.
        covariances: (M, J, 3) of one coordinate: position variance, covariance of position and
            velocity, velocity variance.
        probabilities: (M, J) of the models.
    """

    means: ComplexArray
    covariances: FloatArray
    probabilities: FloatArray

    @classmethod
    def starting(cls, positions: FloatArray, scales: FloatArray) -> "Motion":
        """Return the initial state of N tracks at (N, 2) pixels, with (N,) body scales."""
        means = np.zeros((len(scales), _N_MODELS, 2), complex)
        means[..., 0] = _complex(positions)[:, None]
        covariances = np.zeros((len(scales), _N_MODELS, 3))
        covariances[..., 0] = _POSITION_NOISE**2 * scales[:, None] ** 2
        covariances[..., 2] = _SPEEDS**2 * scales[:, None] ** 2
        return cls(means, covariances, np.tile(_STATIONARY, (len(scales), 1)))

    @property
    def positions(self) -> FloatArray:
        """(M, 2) pixels, expected over the models."""
        return _real((self.probabilities * self.means[..., 0]).sum(axis=1))

    @property
    def velocities(self) -> FloatArray:
        """(M, 2) pixels per second, expected over the models."""
        return _real((self.probabilities * self.means[..., 1]).sum(axis=1))

    @property
    def position_variances(self) -> FloatArray:
        """(M,) of one coordinate of `positions`, pixels squared."""
        positions = self.means[..., 0]
        apart = positions - (self.probabilities * positions).sum(axis=1, keepdims=True)
        return (self.probabilities * (self.covariances[..., 0] + _squared(apart) / 2)).sum(axis=1)

    def predict(self, dt_s: float, scales: FloatArray, observed: NDArray[np.bool_]) -> None:
        """Predict by `dt_s` seconds.

        Args:
            dt_s: at least 0.
            scales: (M,) body scales, pixels.
            observed: (M,) whether the last frame had a measurement. Only then the models are
                mixed: without measurements the wide model would widen the narrow one.
        """
        if dt_s <= 0:
            return
        self._mix(dt_s, observed)
        kept = np.exp(-dt_s / _VELOCITY_MEMORY_S)
        reach = _VELOCITY_MEMORY_S * (1 - kept)
        drift = _VELOCITY_MEMORY_S**2 * (2 * dt_s / _VELOCITY_MEMORY_S - 3 + 4 * kept - kept**2)
        speed = _SPEEDS**2 * scales[:, None] ** 2
        self.means[..., 0] += reach * self.means[..., 1]
        self.means[..., 1] *= kept
        position, mixed, velocity = _columns(self.covariances)
        position += reach * (2 * mixed + reach * velocity) + speed * drift
        mixed += reach * velocity
        mixed *= kept
        mixed += speed * (reach * (1 - kept))
        velocity *= kept**2
        velocity += speed * (1 - kept**2)

    def _mix(self, dt_s: float, observed: NDArray[np.bool_]) -> None:
        """Mix the models by their transition probabilities during `dt_s` seconds."""
        stays = np.exp(-_SWITCH_RATES.sum() * dt_s)
        transitions = stays * np.eye(_N_MODELS) + (1 - stays) * _STATIONARY
        transitions = np.where(observed[:, None, None], transitions, np.eye(_N_MODELS))
        joint = self.probabilities[:, :, None] * transitions  # (M, from, to)
        self.probabilities = joint.sum(axis=1)
        weights = (joint / self.probabilities[:, None]).transpose(0, 2, 1)  # (M, to, from)
        means = weights @ self.means
        # For two models the spread of the means is w1 w2 |a - b|^2.
        shares = weights[..., 0] * weights[..., 1] / 2
        apart = self.means[:, 0] - self.means[:, 1]
        position, velocity = apart[:, 0], apart[:, 1]
        spread = np.stack(
            [_squared(position), (position * velocity.conj()).real, _squared(velocity)], axis=-1
        )
        self.covariances = weights @ self.covariances + shares[..., None] * spread[:, None]
        self.means = means

    def log_likelihoods(
        self, rows: IntArray, measured: FloatArray, scales: FloatArray
    ) -> FloatArray:
        """Return (P,) log-likelihoods of measured positions, relative to a uniform density.

        The uniform density is 1 / (2 pi scale^2), so the result does not depend on the image
        resolution.

        Args:
            rows: (P,) tracks.
            measured: (P, 2) pixels.
            scales: (P,) body scales of these tracks, pixels.
        """
        weighted = self.probabilities[rows] * np.exp(self._logs(rows, measured, scales))
        return np.log(weighted.sum(axis=1) + 1e-300)

    def gates(self, scales: FloatArray, sigmas: float) -> FloatArray:
        """Return (M,) pixels, this many standard deviations of the wider model's innovation."""
        variances = self.covariances[..., 0].max(axis=1) + (_POSITION_NOISE * scales) ** 2
        return sigmas * np.sqrt(variances)

    def correct(self, rows: IntArray, measured: FloatArray, scales: FloatArray) -> None:
        """Update with measured positions; arguments as in `log_likelihoods`."""
        logs = self._logs(rows, measured, scales)
        weights = self.probabilities[rows] * np.exp(logs - logs.max(axis=1, keepdims=True))
        weights = np.maximum(weights / weights.sum(axis=1, keepdims=True), _LEAST_PROBABILITY)
        self.probabilities[rows] = weights / weights.sum(axis=1, keepdims=True)
        means, covariances = self.means[rows], self.covariances[rows]
        position, mixed, velocity = _columns(covariances)
        variances = position + (_POSITION_NOISE * scales[:, None]) ** 2
        gains = covariances[..., :2] / variances[..., None]
        innovations = _complex(measured)[:, None] - means[..., 0]
        self.means[rows] = means + gains * innovations[..., None]
        velocity -= gains[..., 1] * mixed
        kept = 1 - gains[..., 0]
        position *= kept
        mixed *= kept
        self.covariances[rows] = covariances

    def shift(self, rows: IntArray, offsets: FloatArray) -> None:
        """Shift the positions of P rows by (P, 2) pixels, to track another point of the body."""
        self.means[rows, :, 0] += _complex(offsets)[:, None]

    def move(self, linear: FloatArray, shift: FloatArray) -> None:
        """Apply the camera motion: point p of the last image is at linear @ p + shift in this one.

        Args:
            linear: (2, 2) rotation times scale.
            shift: (2,) pixels.
        """
        turn = complex(linear[0, 0], linear[1, 0])
        self.means *= turn
        self.means[..., 0] += complex(*shift)
        self.covariances *= abs(turn) ** 2

    def _logs(self, rows: IntArray, measured: FloatArray, scales: FloatArray) -> FloatArray:
        """Return (P, J) log-likelihoods for each model."""
        variances = self.covariances[rows, :, 0] + (_POSITION_NOISE * scales[:, None]) ** 2
        distances = _squared(_complex(measured)[:, None] - self.means[rows, :, 0]) / variances
        return -distances / 2 - np.log(variances / scales[:, None] ** 2)


def _complex(points: FloatArray) -> ComplexArray:
    """Return (..., 2) points as (...) complex numbers x + i y."""
    return points[..., 0] + 1j * points[..., 1]


def _real(points: ComplexArray) -> FloatArray:
    """Return (...) complex numbers as (..., 2) points."""
    return np.ascontiguousarray(points)[..., None].view(np.float64)


def _columns(covariances: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return views of (..., 3): position variance, covariance, velocity variance."""
    return covariances[..., 0], covariances[..., 1], covariances[..., 2]


def _squared(values: ComplexArray) -> FloatArray:
    """Return squared absolute values."""
    return values.real**2 + values.imag**2
