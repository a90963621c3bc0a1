"""Layouts against references written from the documentation of pyskl, PoseC3D and ST-GCN."""

import math

import numpy as np
import pytest
from made_windows import H, W, make_windows

from poseflow_ros.actions.heatmaps import heatmaps
from poseflow_ros.actions.layouts import (
    joints,
    nctvm,
    nmtvc,
    openpose18,
    pyskl_annotations,
    uniform_indices,
    uniform_samples,
)
from poseflow_ros.skeletons.coco17 import COCO_17


def pyskl_reference(annotation, n_people=2):
    """Decode, PreNormalize2D(mode fix, threshold 0.01) and FormatGCNInput, as documented."""
    (h, w), keypoint = annotation["img_shape"], annotation["keypoint"]
    score = annotation["keypoint_score"]
    m, t, v, _ = keypoint.shape
    out = np.zeros((n_people, t, v, 3))
    for person in range(m):
        for frame in range(t):
            for joint in range(v):
                x, y = keypoint[person, frame, joint]
                s = score[person, frame, joint]
                if s > np.float32(0.01):
                    out[person, frame, joint, :2] = (x - w / 2) / (w / 2), (y - h / 2) / (h / 2)
                out[person, frame, joint, 2] = s
    return out


def test_the_tensor_equals_pyskls_preprocessing_of_the_annotation():
    windows = make_windows()
    tensor = nmtvc(windows)
    assert tensor.shape == (3, 2, 20, 17, 3)
    assert tensor.dtype == np.float32
    for one, annotation in zip(tensor, pyskl_annotations(windows), strict=True):
        np.testing.assert_allclose(one, pyskl_reference(annotation), atol=1e-6)


def test_an_annotation_has_the_fields_that_pyskl_reads():
    annotation = pyskl_annotations(make_windows())[1]
    assert annotation["frame_dir"] == "front_2_8_12500"
    assert annotation["modality"] == "Pose"
    assert annotation["img_shape"] == annotation["original_shape"] == (H, W)
    assert annotation["total_frames"] == 20
    assert annotation["keypoint"].shape == (1, 20, 17, 2)
    assert annotation["keypoint_score"].shape == (1, 20, 17)
    assert all(np.isfinite(a["keypoint"]).all() for a in pyskl_annotations(make_windows()))


def test_st_gcn_gets_x_and_y_within_half_of_the_image():
    windows = make_windows()
    tensor = nctvm(windows)
    assert tensor.shape == (3, 3, 20, 17, 2)
    x, y, score = windows.keypoints[1, 4, 6, 0], windows.keypoints[1, 4, 6, 1], 0.7
    windows.scores[1, 4, 6] = score
    expected = (x / W - 0.5, y / H - 0.5, score)
    np.testing.assert_allclose(nctvm(windows)[1, :, 4, 6, 0], expected, rtol=1e-5)
    windows.scores[1, 4, 6] = 0.0
    assert nctvm(windows)[1, :, 4, 6, 0].tolist() == [0, 0, 0]
    assert (tensor[..., 1] == 0).all()


def test_gaps_are_never_zeros():
    tensor = joints(make_windows(), "none")
    np.testing.assert_array_equal(tensor[0, 5], tensor[0, 4])
    np.testing.assert_array_equal(tensor[0, 8], tensor[0, 9])


def test_an_unknown_normalization_is_refused():
    with pytest.raises(ValueError, match="normalization is 'unit', must be one of"):
        nmtvc(make_windows(), "unit")


@pytest.mark.parametrize("n_samples", [10, 48, 60, 90, 100, 300])
@pytest.mark.parametrize("n_frames", [48, 100])
def test_each_sample_is_of_its_own_part_of_the_window(n_samples, n_frames):
    indices = uniform_indices(n_samples, n_frames)
    assert len(indices) == n_frames
    for i, index in enumerate(indices):
        middle = (i + 0.5) * n_samples / n_frames
        assert index <= middle < index + 1


def test_uniform_samples_select_the_same_samples_of_everything():
    windows = make_windows(t=90)
    sampled = uniform_samples(windows, 30)
    np.testing.assert_array_equal(sampled.keypoints, windows.keypoints[:, 1::3])
    np.testing.assert_array_equal(sampled.scores, windows.scores[:, 1::3])
    assert sampled.n_frames == 30


def test_openpose_gets_a_neck_and_its_own_order():
    names = [
        *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder"),
        *("left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip"),
        *("left_knee", "left_ankle", "right_eye", "left_eye", "right_ear", "left_ear"),
    ]
    windows = make_windows()
    converted = openpose18(windows)
    for index, name in enumerate(names):
        if name != "neck":
            coco = COCO_17.keypoint_names.index(name)
            np.testing.assert_array_equal(
                converted.keypoints[:, :, index], windows.keypoints[:, :, coco]
            )
            np.testing.assert_array_equal(
                converted.scores[:, :, index], windows.scores[:, :, coco]
            )
    left, right = windows.keypoints[1, 0, 5], windows.keypoints[1, 0, 6]
    np.testing.assert_allclose(converted.keypoints[1, 0, 1], (left + right) / 2)
    assert converted.scores[1, 0, 1] == min(windows.scores[1, 0, 5], windows.scores[1, 0, 6])


def heatmap_reference(keypoints, scores, size, sigma):
    """PoseCompact(hw_ratio 1), Resize and GeneratePoseTarget, as documented: (K, T, H, W)."""
    t, k, _ = keypoints.shape
    xs = [x for f in range(t) for j in range(k) for x in [keypoints[f, j, 0]] if scores[f, j] > 0]
    ys = [y for f in range(t) for j in range(k) for y in [keypoints[f, j, 1]] if scores[f, j] > 0]
    half = max((max(xs) - min(xs)) / 2 * 1.25, (max(ys) - min(ys)) / 2 * 1.25)
    cx, cy = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    x0, y0, x1, y1 = int(cx - half), int(cy - half), int(cx + half), int(cy + half)
    out = np.zeros((k, t, size, size))
    for f in range(t):
        for j in range(k):
            if scores[f, j] < 1e-3:
                continue
            mu_x = (keypoints[f, j, 0] - x0) * size / (x1 - x0)
            mu_y = (keypoints[f, j, 1] - y0) * size / (y1 - y0)
            for y in range(max(int(mu_y - 3 * sigma), 0), min(int(mu_y + 3 * sigma) + 1, size)):
                for x in range(
                    max(int(mu_x - 3 * sigma), 0), min(int(mu_x + 3 * sigma) + 1, size)
                ):
                    square = (x - mu_x) ** 2 + (y - mu_y) ** 2
                    out[j, f, y, x] = math.exp(-square / 2 / sigma**2) * scores[f, j]
    return out


def test_heatmaps_equal_those_of_posec3d():
    windows = make_windows(n=2, t=12)
    maps = heatmaps(windows, n_frames=6, size=32)
    assert maps.shape == (2, 17, 6, 32, 32)
    sampled = uniform_samples(windows.filled(), 6)
    for i in range(2):
        expected = heatmap_reference(
            sampled.keypoints[i].astype(float), sampled.scores[i], size=32, sigma=0.6
        )
        np.testing.assert_allclose(maps[i], expected, atol=1e-5)


def test_a_window_without_scores_has_empty_heatmaps():
    windows = make_windows(n=1)
    windows.scores[:] = 0.0
    maps = heatmaps(windows, n_frames=4, size=16)
    assert (maps == 0).all()
