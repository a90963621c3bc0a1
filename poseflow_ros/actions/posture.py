"""Standing, sitting, crouching and lying."""

import numpy as np

from poseflow_ros.action_config import BehaviorsConfig
from poseflow_ros.actions.body import Body
from poseflow_ros.actions.kinds import Posture
from poseflow_ros.poses import IntArray

# Plain numbers: an IntEnum slows down every operation with an array.
_UNKNOWN, _STANDING, _SITTING, _CROUCHING, _LYING = (int(posture) for posture in Posture)
_REACH_OF_DROP = 1.9
"""Standing people's ratio of ankles to knees, both measured from the hips."""
_DEGREES = 100.0
"""A hysteresis of 0.05 torso lengths corresponds to 5 degrees."""


def postures(body: Body, current: IntArray, config: BehaviorsConfig) -> IntArray:
    """Return (N,) Posture that one image shows.

    Lying: the shoulders are hardly higher than the hips. Standing: an ankle is far below the
    hips; where no ankle is known, a knee. Otherwise the legs are bent: crouching where the torso
    leans forward or the legs are far apart, as in a squat seen from the front; otherwise sitting.

    Args:
        body: of N people.
        current: (N,) their postures so far, which the hysteresis favors.
        config: the thresholds.
    """
    kept = config.hysteresis
    reach = np.where(np.isnan(body.reach), _REACH_OF_DROP * body.drop, body.reach)
    lying = body.rise < config.lying_max_rise + kept * (current == _LYING)
    standing = reach > config.standing_min_reach - kept * (current == _STANDING)
    favored = kept * (current == _CROUCHING)
    leaning = body.lean_deg > config.crouching_min_lean_deg - favored * _DEGREES
    astride = body.stance > config.crouching_min_stance - favored
    bent = np.where(leaning | astride, _CROUCHING, _SITTING)
    upright = np.where(standing, _STANDING, bent)
    known = np.where(np.isnan(reach), _UNKNOWN, upright)
    posture: IntArray = np.where(lying, _LYING, known)
    return np.where(np.isnan(body.rise), _UNKNOWN, posture)
