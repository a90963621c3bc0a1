"""The COCO person skeleton: its parts fit each other and COCO."""

from poseflow_ros.skeleton import COCO_17

NAMES = COCO_17.keypoint_names


def test_names_are_coco_s():
    # As in the annotations of COCO person keypoints: the nose, then left and right of each part.
    parts = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    sides = [f"{side}_{part}" for part in parts for side in ("left", "right")]
    assert list(NAMES) == ["nose", *sides]


def test_sigmas_are_coco_s():
    # As in pycocotools, cocoeval.py: Params.setKpParams.
    tenths = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62]
    tenths += [1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
    assert [round(10 * sigma, 6) for sigma in COCO_17.oks_sigmas] == tenths


def test_flip_pairs_are_left_and_right_of_the_same_part():
    paired = {(NAMES[a], NAMES[b]) for a, b in COCO_17.flip_pairs}
    lefts = [name for name in NAMES if name.startswith("left_")]
    assert paired == {(name, name.replace("left_", "right_")) for name in lefts}


def test_edges_connect_every_keypoint_once():
    edges = COCO_17.edges
    assert len({frozenset(edge) for edge in edges}) == len(edges)
    assert all(a != b for a, b in edges)
    assert {index for edge in edges for index in edge} == set(range(17))


def test_edges_look_the_same_in_a_mirror():
    mirror = {i: i for i in range(17)}
    for a, b in COCO_17.flip_pairs:
        mirror |= {a: b, b: a}
    edges = {frozenset(edge) for edge in COCO_17.edges}
    assert {frozenset(mirror[i] for i in edge) for edge in edges} == edges
