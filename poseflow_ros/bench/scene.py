"""Simulated scenes: people and camera position."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choices:
    """Probabilities of the next activity at a goal; otherwise the person walks on.

    Attributes:
        stand: stand for a while.
        leave: leave the image and come back.
        join: accompany the nearest person.
        bend: bend down to the ground and straighten up.
        sit: sit down and stand up again.
        crouch: crouch and stand up again.
    """

    stand: float
    leave: float
    join: float
    bend: float = 0.0
    sit: float = 0.0
    crouch: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene: the behaviour of the people, and the camera.

    Attributes:
        focal_px: the camera's focal length, of an image of 768 x 576.
        above_ground_m: the camera's height.
        pitch_rad: the camera's pitch, downwards.
        ahead_m: minimum and maximum distance of people from the camera's foot.
        runners: share of the people who run, in [0, 1].
        choices: probabilities of the next activity.
        truncates: whether detector and matcher take the image border into account: keypoints
            outside are reported at the border with low scores, errors are those of the visible
            part, and no correspondence starts outside. False for `street`, to which the detectors
            were fitted.
    """

    focal_px: float
    above_ground_m: float
    pitch_rad: float
    ahead_m: tuple[float, float]
    runners: float
    choices: Choices
    truncates: bool


STREET = Scene(800.0, 4.0, 0.28, (6.0, 22.0), 0.0, Choices(0.25, 0.1, 0.12), truncates=False)
_SPORT = Scene(
    800.0, 4.0, 0.28, (6.0, 22.0), 0.6, Choices(0.1, 0.06, 0.08, 0.06, 0.04, 0.05), truncates=True
)
_CLOSE = Scene(
    600.0, 1.0, 0.0, (0.8, 7.0), 0.1, Choices(0.2, 0.1, 0.12, 0.1, 0.1, 0.06), truncates=True
)
SCENES = {"street": STREET, "sport": _SPORT, "close": _CLOSE}
