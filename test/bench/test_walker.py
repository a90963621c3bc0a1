"""The body of a simulated person: a skeleton that walks, runs, bends, sits and crouches."""

import numpy as np
import pytest

from poseflow_ros.bench.walker import Posture, keypoints_m

NOSE, LEFT_HIP, LEFT_ANKLE, RIGHT_ANKLE = 0, 11, 15, 16
SIDE_LIMBS = ((5, 7), (7, 9), (5, 11), (11, 13), (13, 15))  # the left side's, joint by joint


def person(speed=0.0, phase=0.0, posture=None, share=1.0, height=1.0):
    """Return the (17, 3) keypoints of somebody at the origin who looks ahead."""
    postures = np.zeros((1, len(Posture)))
    if posture is not None:
        postures[0, posture] = share
    return keypoints_m(
        np.zeros((1, 2)), np.array([[0.0, 1]]), np.array([phase]), np.array([speed]),
        np.array([height]), postures,
    )[0]  # fmt: skip


def test_limbs_keep_their_lengths_in_every_gait_and_posture():
    bodies = [person(speed, phase) for speed in (0, 1.4, 3, 6) for phase in np.arange(0, 6, 0.5)]
    bodies += [person(posture=p, share=s) for p in Posture for s in (0.3, 0.7, 1.0)]
    joints = np.array(bodies)[:, SIDE_LIMBS]
    lengths = np.linalg.norm(joints[:, :, 0] - joints[:, :, 1], axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-9)


@pytest.mark.parametrize(
    ("posture", "nose", "hips"),
    [
        pytest.param(Posture.BEND, (0.35, 0.65), (0.45, 0.53), id="a bent head is at hip height"),
        pytest.param(Posture.SIT, (0.6, 0.75), (0.27, 0.33), id="hips are at a chair's height"),
        pytest.param(Posture.CROUCH, (0.4, 0.6), (0.1, 0.25), id="hips are near the heels"),
    ],
)
def test_postures_lower_the_head_and_keep_the_feet(posture, nose, hips):
    standing = person()
    for share in (0.25, 0.5, 1.0):
        lowered = person(posture=posture, share=share)
        for ankle in (LEFT_ANKLE, RIGHT_ANKLE):
            np.testing.assert_allclose(lowered[ankle], standing[ankle], atol=1e-9)
    assert nose[0] < lowered[NOSE, 1] < nose[1]
    assert hips[0] < lowered[LEFT_HIP, 1] < hips[1]


def test_runners_have_a_flight_phase_and_longer_steps():
    phases = np.linspace(0, 2 * np.pi, 60)
    highest, step = {}, {}
    for speed in (1.4, 5.0):
        ankles = np.array([person(speed, p)[[LEFT_ANKLE, RIGHT_ANKLE]] for p in phases])
        highest[speed] = ankles[..., 1].min(axis=1).max() - person()[LEFT_ANKLE, 1]
        step[speed] = np.abs(ankles[:, 0, 2] - ankles[:, 1, 2]).max()
    assert highest[1.4] < 0.06 < 0.1 < highest[5.0] < 0.25
    assert step[5.0] > 1.4 * step[1.4]
