"""What one image, and the recent motion of the arms, tells of each person."""

from dataclasses import dataclass

import numpy as np

from poseflow_ros.action_config import BehaviorsConfig
from poseflow_ros.actions.body import N_KEYPOINTS, SHOULDERS, Body
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.gestures import facing_widths, hand_heights, pointing
from poseflow_ros.actions.proxemics import distances
from poseflow_ros.poses import FloatArray, IntArray

# What corresponds to a hysteresis of 0.05 torso lengths: 5 degrees, 0.1 m/s and one swing.
_DEGREES, _METRES_A_SECOND, _SWINGS = 100.0, 2.0, 20.0


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """Measures of N people, NaN where unknown.

    Attributes:
        body: of the people in the image, in 3D where the torso is known.
        image_scales: (N,) length of the torso, pixels, see Body.
        hands: (N, 2) height of the left and right wrist above the shoulder, in scales.
        elbows_deg, raises_deg: (N, 2) see `gestures.pointing`.
        pointing_origins: (N, 2, 3) metres.
        pointing_directions: (N, 2, 3) unit vectors.
        facing: (N,) width of the shoulders in the image, in scales.
        distances_m: (N,) from the origin of the 3D frame.
        approach_speeds: (N,) metres a second.
    """

    body: Body
    image_scales: FloatArray
    hands: FloatArray
    elbows_deg: FloatArray
    raises_deg: FloatArray
    pointing_origins: FloatArray
    pointing_directions: FloatArray
    facing: FloatArray
    distances_m: FloatArray
    approach_speeds: FloatArray

    @classmethod
    def of(cls, people: PoseFrame, config: BehaviorsConfig) -> "Measures":
        """Return the measures of the people in an image."""
        known = (people.scores[:, :N_KEYPOINTS] >= config.min_keypoint_score)[..., None]
        keypoints = np.where(known, people.keypoints[:, :N_KEYPOINTS], np.nan)
        points = np.where(known, people.points[:, :N_KEYPOINTS], np.nan)
        heights = -keypoints[..., 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            body = Body.of(keypoints, heights)
            scales = body.scale
            if np.isfinite(points).any():
                body = body.replaced_where_known(Body.of(points, points @ people.up))
            elbows, raises, directions = pointing(points, people.up)
            away, speeds = distances(people.positions, people.velocities, people.up)
            return cls(
                body=body,
                image_scales=scales,
                hands=hand_heights(heights, scales),
                elbows_deg=elbows,
                raises_deg=raises,
                pointing_origins=points[:, SHOULDERS],
                pointing_directions=directions,
                facing=facing_widths(keypoints, scales),
                distances_m=away,
                approach_speeds=speeds,
            )

    def margins(self, swings: IntArray, config: BehaviorsConfig) -> FloatArray:
        """Return (N, 8) how far each Behavior but FALLEN exceeds its threshold, torso lengths.

        Args:
            swings: (N, 2) of the left and right wrist.
            config: the thresholds.
        """
        elbows = self.elbows_deg - config.pointing_min_elbow_deg
        raises = self.raises_deg - config.pointing_min_raise_deg
        facing = self.facing - config.facing_min_width
        speeds = (self.approach_speeds - config.approaching_min_speed) / _METRES_A_SECOND
        columns = (
            self.hands - config.hand_raised_min_height,
            (swings - config.waving_min_swings) / _SWINGS,
            np.minimum(elbows, raises) / _DEGREES,
            facing[:, None],
            speeds[:, None],
        )
        return np.concatenate(columns, axis=1)
