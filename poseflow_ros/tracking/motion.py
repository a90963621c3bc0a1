"""Where people will be: constant velocity, in seconds and in heights of the person."""

from dataclasses import dataclass

import numpy as np

from poseflow_ros.poses import FloatArray, IntArray

# Standard deviation of a measured position, and of the velocity of people (per second), both
# relative to their height; how long people keep their velocity.
_POSITION_NOISE = 0.06
_WALKING = 0.65
_KEEPING_S = 8.0


@dataclass(slots=True, eq=False)
class Motion:
    """A Kalman filter for each of M people; x and y are alike and independent.

    The velocity is an Ornstein-Uhlenbeck process, integrated exactly: one step of a second
    spreads as far as ten of a tenth, and somebody unseen is not believed to go straight on for
    ever (Uhlenbeck and Ornstein, Physical Review 36, 1930).

    Attributes:
        positions: (M, 2) pixels.
        velocities: (M, 2) pixels a second.
        position_variances, covariances, velocity_variances: (M,) of either coordinate.
    """

    positions: FloatArray
    velocities: FloatArray
    position_variances: FloatArray
    covariances: FloatArray
    velocity_variances: FloatArray

    @classmethod
    def starting(cls, positions: FloatArray, heights: FloatArray) -> "Motion":
        """Return the motion of people seen for the first time at (N, 2), `heights` (N,) pixels."""
        return cls(
            positions.copy(),
            np.zeros_like(positions),
            (_POSITION_NOISE * heights) ** 2,
            np.zeros(len(heights)),
            (_WALKING * heights) ** 2,
        )

    def predict(self, dt_s: float, heights: FloatArray) -> None:
        """Go on by `dt_s` seconds; people of (M,) `heights`, pixels."""
        kept = np.exp(-dt_s / _KEEPING_S)
        reach = _KEEPING_S * (1 - kept)
        walking = (_WALKING * heights) ** 2
        self.positions += reach * self.velocities
        self.velocities *= kept
        self.position_variances += (
            2 * reach * self.covariances
            + reach**2 * self.velocity_variances
            + walking * _KEEPING_S**2 * (2 * dt_s / _KEEPING_S - 3 + 4 * kept - kept**2)
        )
        self.covariances *= kept
        self.covariances += kept * reach * self.velocity_variances + walking * reach * (1 - kept)
        self.velocity_variances *= kept**2
        self.velocity_variances += walking * (1 - kept**2)

    def innovation_variances(self, heights: FloatArray) -> FloatArray:
        """Return (M,), how far from `positions` a measurement may lie, of either coordinate."""
        return self.position_variances + (_POSITION_NOISE * heights) ** 2

    def correct(self, rows: IntArray, measured: FloatArray, heights: FloatArray) -> None:
        """Take in (P, 2) measured positions of these P rows; `heights` (M,)."""
        variances = self.innovation_variances(heights)[rows]
        gain = self.position_variances[rows] / variances
        velocity_gain = self.covariances[rows] / variances
        innovation = measured - self.positions[rows]
        self.positions[rows] += gain[:, None] * innovation
        self.velocities[rows] += velocity_gain[:, None] * innovation
        self.velocity_variances[rows] -= velocity_gain * self.covariances[rows]
        self.covariances[rows] *= 1 - gain
        self.position_variances[rows] *= 1 - gain

    def move(self, linear: FloatArray, shift: FloatArray) -> None:
        """Follow the camera: a point p of the last image is at linear @ p + shift in this one."""
        self.positions = self.positions @ linear.T + shift
        self.velocities = self.velocities @ linear.T
        growth = abs(np.linalg.det(linear))
        self.position_variances *= growth
        self.covariances *= growth
        self.velocity_variances *= growth
