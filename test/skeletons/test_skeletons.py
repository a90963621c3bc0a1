"""The skeletons: their parts fit each other and the data sets that define them."""

import numpy as np
import pytest

from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.halpe26 import HALPE_26
from poseflow_ros.skeletons.wholebody133 import WHOLEBODY_133

EVERY = pytest.mark.parametrize(
    "skeleton", [COCO_17, HALPE_26, WHOLEBODY_133], ids=lambda skeleton: skeleton.name
)


def test_keypoint_names_equal_those_of_coco():
    # As in the annotations of COCO person keypoints: the nose, then left and right of each part.
    parts = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    sides = [f"{side}_{part}" for part in parts for side in ("left", "right")]
    assert list(COCO_17.keypoint_names) == ["nose", *sides]


def test_oks_sigmas_equal_those_of_coco():
    # As in pycocotools, cocoeval.py: Params.setKpParams.
    tenths = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62]
    tenths += [1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
    assert [round(10 * sigma, 6) for sigma in COCO_17.oks_sigmas] == tenths


@pytest.mark.parametrize(
    ("skeleton", "index", "name", "sigma"),
    [
        pytest.param(HALPE_26, 17, "head", 0.08, id="halpe26: head"),
        pytest.param(HALPE_26, 19, "hip", 0.08, id="halpe26: hip"),
        pytest.param(HALPE_26, 20, "left_big_toe", 0.089, id="halpe26: first of the feet"),
        pytest.param(HALPE_26, 25, "right_heel", 0.089, id="halpe26: last of the feet"),
        pytest.param(WHOLEBODY_133, 17, "left_big_toe", 0.068, id="wholebody: first of the feet"),
        pytest.param(WHOLEBODY_133, 22, "right_heel", 0.094, id="wholebody: last of the feet"),
        pytest.param(WHOLEBODY_133, 23, "face_0", 0.042, id="wholebody: first of the jaw"),
        pytest.param(WHOLEBODY_133, 39, "face_16", 0.045, id="wholebody: last of the jaw"),
        pytest.param(WHOLEBODY_133, 70, "face_47", 0.034, id="wholebody: last of the eyes"),
        pytest.param(WHOLEBODY_133, 90, "face_67", 0.008, id="wholebody: last of the face"),
        pytest.param(WHOLEBODY_133, 91, "left_hand_root", 0.029, id="wholebody: left hand"),
        pytest.param(WHOLEBODY_133, 95, "left_thumb4", 0.047, id="wholebody: tip of the thumb"),
        pytest.param(WHOLEBODY_133, 112, "right_hand_root", 0.029, id="wholebody: right hand"),
        pytest.param(WHOLEBODY_133, 132, "right_pinky_finger4", 0.031, id="wholebody: the last"),
    ],
)
def test_additional_keypoints_are_in_the_order_of_the_data_set(skeleton, index, name, sigma):
    assert skeleton.keypoint_names[index] == name
    assert skeleton.oks_sigmas[index] == sigma


@EVERY
def test_body_keypoints_start_with_those_of_coco(skeleton):
    assert skeleton.keypoint_names[:17] == COCO_17.keypoint_names
    assert skeleton.oks_sigmas[:17] == COCO_17.oks_sigmas
    used = {*skeleton.torso, *np.ravel(skeleton.limbs).tolist()}
    assert max(used) < skeleton.n_body <= skeleton.n_keypoints
    assert len(skeleton.body_sigmas) == skeleton.n_body


@EVERY
def test_names_and_sigmas_have_one_entry_per_keypoint(skeleton):
    k = skeleton.n_keypoints
    assert skeleton.name.endswith(str(k))
    assert len(set(skeleton.keypoint_names)) == len(skeleton.oks_sigmas) == k
    assert len(skeleton.limbs) == len(skeleton.limb_lengths)
    for pair in (*skeleton.edges, *skeleton.flip_pairs, *skeleton.limbs):
        assert 0 <= min(pair) < max(pair) < k


@EVERY
def test_flip_pairs_are_left_and_right_of_the_same_body_part(skeleton):
    names = skeleton.keypoint_names
    paired = {(names[a], names[b]) for a, b in skeleton.flip_pairs}
    lefts = [name for name in names if name.startswith("left_")]
    sides = {(name, name.replace("left_", "right_")) for name in lefts}
    assert {pair for pair in paired if not pair[0].startswith("face_")} == sides


def test_flip_pairs_contain_each_face_landmark_once():
    # 68 landmarks, of which 10 lie on the middle: the chin, 4 + 1 of the nose, 2 + 2 of the lips,
    # which leaves 58 in 29 pairs.
    pairs = [pair for pair in WHOLEBODY_133.flip_pairs if 23 <= pair[0] < 91]
    indices = [index for pair in pairs for index in pair]
    assert len(pairs) == 29
    assert len(set(indices)) == 58
    middle = set(range(23, 91)) - set(indices)
    assert middle == {31, 50, 51, 52, 53, 56, 74, 80, 85, 89}


@EVERY
def test_edges_connect_all_keypoints_except_the_face(skeleton):
    edges = skeleton.edges
    assert len({frozenset(edge) for edge in edges}) == len(edges)
    names = skeleton.keypoint_names
    unconnected = set(range(skeleton.n_keypoints)) - {index for edge in edges for index in edge}
    assert all(names[index].startswith("face_") for index in unconnected)


@EVERY
def test_edges_are_mirror_symmetric(skeleton):
    mirror = {i: i for i in range(skeleton.n_keypoints)}
    for a, b in skeleton.flip_pairs:
        mirror |= {a: b, b: a}
    edges = {frozenset(edge) for edge in skeleton.edges}
    assert {frozenset(mirror[i] for i in edge) for edge in edges} == edges
