"""Windows of poses in the layouts that networks for action recognition take.

Each window is of one person. Gaps hold the nearest observed pose (`Windows.filled`).
"""

from dataclasses import replace
from typing import Any

import numpy as np

from poseflow_ros.actions.windows import Float32Array, Windows
from poseflow_ros.poses import IntArray

NORMALIZATIONS = ("pyskl", "stgcn", "none")
_MIN_SCORE = 0.01
_NECK_OF = [5, 6]
_OPENPOSE_18 = [0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
"""Of each of OpenPose's keypoints the index in COCO-17, 17 for the neck."""


def nctvm(windows: Windows, normalization: str = "stgcn", n_people: int = 2) -> Float32Array:
    """Return (N, 3, T, K, M) x, y and score: the layout of ST-GCN (Yan et al., AAAI 2018).

    Args:
        windows: of N people.
        normalization: one of NORMALIZATIONS, see `joints`.
        n_people: M; the people after the first are zeros.
    """
    return np.ascontiguousarray(nmtvc(windows, normalization, n_people).transpose(0, 4, 2, 3, 1))


def nmtvc(windows: Windows, normalization: str = "pyskl", n_people: int = 2) -> Float32Array:
    """Return (N, M, T, K, 3) x, y and score: the layout of pyskl and MMAction2.

    Args:
        windows: of N people.
        normalization: one of NORMALIZATIONS, see `joints`.
        n_people: M; the people after the first are zeros.

    Raises:
        ValueError: the normalization is unknown.
    """
    person = joints(windows, normalization)
    tensor = np.zeros((len(person), n_people, *person.shape[1:]), np.float32)
    tensor[:, 0] = person
    return tensor


def joints(windows: Windows, normalization: str) -> Float32Array:
    """Return (N, T, K, 3) x, y and score.

    `pyskl`: x and y in [-1, 1] over the image, 0 where the score is at most 0.01 (PreNormalize2D
    of pyskl, Duan et al., 2022). `stgcn`: x and y in [-0.5, 0.5], 0 where the score is 0 (ST-GCN's
    feeder of Kinetics). `none`: pixels.

    Raises:
        ValueError: the normalization is unknown.
    """
    if normalization not in NORMALIZATIONS:
        raise ValueError(f"normalization is {normalization!r}, must be one of {NORMALIZATIONS}")
    windows = windows.filled()
    tensor = np.concatenate([windows.keypoints, windows.scores[..., None]], axis=-1)
    if normalization == "none":
        return tensor
    size = np.array(windows.image_size[::-1], np.float32)
    scale, min_score = (2.0, _MIN_SCORE) if normalization == "pyskl" else (1.0, 0.0)
    tensor[..., :2] = (tensor[..., :2] / size - 0.5) * np.float32(scale)
    tensor[..., :2][windows.scores <= min_score] = 0.0
    return tensor


def pyskl_annotations(windows: Windows) -> list[dict[str, Any]]:
    """Return for each person the annotation that pyskl and MMAction2 read, without a label.

    `keypoint` (1, T, K, 2) pixels and `keypoint_score` (1, T, K). `frame_dir` names camera, epoch,
    track id and the stamp of the first sample in milliseconds.
    """
    windows = windows.filled()
    prefix = f"{windows.camera}_{windows.epoch}"
    return [
        {
            "frame_dir": f"{prefix}_{track_id}_{windows.start_s * 1e3:.0f}",
            "modality": "Pose",
            "img_shape": windows.image_size,
            "original_shape": windows.image_size,
            "total_frames": windows.n_frames,
            "keypoint": keypoints[None],
            "keypoint_score": scores[None],
        }
        for track_id, keypoints, scores in zip(
            windows.track_ids.tolist(), windows.keypoints, windows.scores, strict=True
        )
    ]


def uniform_samples(windows: Windows, n_frames: int) -> Windows:
    """Return the windows with `n_frames` of their samples.

    The window is divided into that many equal parts, and the middle sample of each is taken, as
    UniformSampleFrames of pyskl does with a random sample of each. A window with fewer samples
    repeats some.
    """
    indices = uniform_indices(windows.n_frames, n_frames)
    return replace(
        windows,
        keypoints=windows.keypoints[:, indices],
        scores=windows.scores[:, indices],
        points=windows.points[:, indices],
        observed=windows.observed[:, indices],
    )


def uniform_indices(n_samples: int, n_frames: int) -> IntArray:
    """Return (n_frames,) the indices of the middles of equal parts of `n_samples` samples."""
    return (2 * np.arange(n_frames) + 1) * n_samples // (2 * n_frames)


def openpose18(windows: Windows) -> Windows:
    """Return COCO-17 windows with the 18 keypoints of OpenPose.

    The neck is the middle of the shoulders, with the smaller of their scores.
    """
    neck = windows.keypoints[:, :, _NECK_OF].mean(axis=2, keepdims=True)
    neck_score = windows.scores[:, :, _NECK_OF].min(axis=2, keepdims=True)
    neck_point = windows.points[:, :, _NECK_OF].mean(axis=2, keepdims=True)
    body = slice(0, 17)
    return replace(
        windows,
        keypoints=np.concatenate([windows.keypoints[:, :, body], neck], 2)[:, :, _OPENPOSE_18],
        scores=np.concatenate([windows.scores[:, :, body], neck_score], 2)[:, :, _OPENPOSE_18],
        points=np.concatenate([windows.points[:, :, body], neck_point], 2)[:, :, _OPENPOSE_18],
    )
