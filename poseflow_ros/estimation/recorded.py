"""An estimator that replays recorded poses."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.poses import Image, Poses
from poseflow_ros.skeletons.coco17 import COCO_17

# What NumPy and zipfile raise when a file is damaged.
_BROKEN = (
    *(OSError, TypeError, ValueError, IndexError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
_ARRAYS = ("frame", "box", "score", "keypoints", "n_frames")


class RecordedPoses:
    """Returns the poses of frame 0 at the first call, of frame 1 at the second, and so on.

    The file is a NumPy archive: `frame` (N,) from 0, `box` (N, 4) x1 y1 x2 y2 pixels, `score`
    (N,), `keypoints` (N, 17, 3) x, y in pixels and score, COCO order, and `n_frames`.
    """

    skeleton = COCO_17
    batches = False
    device_bytes = 0

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            EstimatorError: it is missing or damaged, or an array is missing.
        """
        self._frames = _read(path)
        self._next = 0
        self.description = f"recorded poses of {path}"

    def __len__(self) -> int:
        return len(self._frames)

    def estimate(self, image: Image) -> Poses:
        """Return the poses recorded for the next frame; no people after the last frame."""
        del image
        index, self._next = self._next, self._next + 1
        return (
            self._frames[index] if index < len(self._frames) else Poses.empty(COCO_17.n_keypoints)
        )

    def estimate_batch(self, images: Sequence[Image]) -> list[Poses]:
        """Return the poses recorded for the next frames."""
        return [self.estimate(image) for image in images]

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def _read(path: Path) -> list[Poses]:
    try:
        if path.is_file() and not zipfile.is_zipfile(path):
            raise ValueError("it is not a NumPy archive (.npz)")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _ARRAYS}
        people = Poses(
            arrays["keypoints"][..., :2],
            arrays["keypoints"][..., 2],
            arrays["box"],
            arrays["score"],
        )
        if people.keypoints.shape[1] != COCO_17.n_keypoints:
            raise ValueError(f"keypoints must be (N, 17, 3), got {arrays['keypoints'].shape}")
        if arrays["frame"].shape != arrays["score"].shape:
            raise ValueError(f"frame must be (N,) as score is, got {arrays['frame'].shape}")
        return [people[arrays["frame"] == i] for i in range(int(arrays["n_frames"]))]
    except KeyError as error:
        raise EstimatorError(f"{path} has no array {error}; must have {_ARRAYS}") from error
    except _BROKEN as error:
        raise EstimatorError(f"{path} cannot be read as recorded poses: {error}") from error
