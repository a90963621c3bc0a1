"""Texts of track ids and behaviors, for images and markers."""

from poseflow_ros.actions.behaviors import BehaviorFrame
from poseflow_ros.actions.kinds import Behavior, Posture
from poseflow_ros.parameter_group import ConfigError
from poseflow_ros.poses import IntArray
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.skeleton import Skeleton

# FACING_CAMERA is left out: it is true for most people, who can be seen to face the camera.
_WORDS = {
    "fallen": (Behavior.FALLEN,),
    "hand raised": (Behavior.LEFT_HAND_RAISED, Behavior.RIGHT_HAND_RAISED),
    "waving": (Behavior.LEFT_WAVING, Behavior.RIGHT_WAVING),
    "pointing": (Behavior.LEFT_POINTING, Behavior.RIGHT_POINTING),
    "approaching": (Behavior.APPROACHING,),
}


def track_labels(track_ids: IntArray, behaviors: BehaviorFrame) -> list[str]:
    """Return for each of N track ids a label, as in `7 standing, waving`.

    Args:
        track_ids: (N,).
        behaviors: of the people observed; the others have only their track id.
    """
    rows = behaviors.rows()
    return [
        f"{track_id} {_words(behaviors, rows[track_id]) if track_id in rows else ''}".rstrip()
        for track_id in track_ids.tolist()
    ]


def check_skeleton(skeleton: Skeleton) -> None:
    """Raise ConfigError unless behaviors can be recognized from the keypoints of a skeleton."""
    n_keypoints = COCO_17.n_keypoints
    if skeleton.keypoint_names[:n_keypoints] != COCO_17.keypoint_names:
        raise ConfigError(
            f"markers.behaviors is true, but the skeleton {skeleton.name} does not begin with the "
            f"{n_keypoints} keypoints of COCO; must be false"
        )


def _words(behaviors: BehaviorFrame, row: int) -> str:
    """Return the posture and the active behaviors of a person, separated by commas."""
    posture, active = Posture(behaviors.postures[row]), behaviors.active[row]
    words = [] if posture is Posture.UNKNOWN else [posture.name.lower()]
    words += [word for word, columns in _WORDS.items() if active[list(columns)].any()]
    return ", ".join(words)
