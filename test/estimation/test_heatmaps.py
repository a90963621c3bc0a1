"""Decoding heatmaps: torchvision's own decoding, one person at a time, says what is expected."""

import numpy as np
import pytest

pytest.importorskip("torchvision", reason="torchvision does not import")

import torch
from torch.nn import functional
from torchvision.models.detection.roi_heads import heatmaps_to_keypoints

from poseflow_ros.estimation import heatmaps as module
from poseflow_ros.estimation.heatmaps import decode, split

NONE, HALF = torch.zeros(2), torch.full((2,), 0.5)
SIDE = 56


def random_maps(n, k=17, seed=0):
    return 3 * torch.randn(n, k, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def smooth_maps(n, k=17, seed=0):
    # 13 does not divide 56: no two neighbours are equal.
    coarse = 3 * torch.randn(n, k, 13, 13, generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic")


def boxes_of(sizes, seed=0):
    """Return a box of each size (width, height), anywhere."""
    corners = 600 * torch.rand(len(sizes), 2, generator=torch.Generator().manual_seed(seed))
    return torch.cat([corners, corners + torch.tensor(sizes)], dim=1)


def random_boxes(n, width, height):
    sizes = np.random.default_rng(n).uniform((0, 0), (width, height), (n, 2))
    return boxes_of(sizes.astype(np.float32).tolist())


def library(maps, boxes):
    return heatmaps_to_keypoints(maps, boxes)[0][..., :2]


BOXES = [
    pytest.param(random_boxes(20, 200, 400), id="people"),
    pytest.param(random_boxes(20, 30, 30), id="smaller than a heatmap"),
    pytest.param(boxes_of([[0.5, 0.25], [0.0, 0.0], [0.9, 3.0]]), id="below one pixel"),
    pytest.param(boxes_of([[1.0, 400.0], [400.0, 1.0]]), id="lines"),
    pytest.param(boxes_of([[700.0, 900.0]]), id="as large as the image"),
    pytest.param(boxes_of([[SIDE, SIDE], [2 * SIDE, 28.0]]), id="multiples of the cells"),
    pytest.param(
        boxes_of([[7.2, 650.0], [0.3, 0.3], [640.5, 8.0], [90.0, 200.0], [1.0, 1.0]]),
        id="mixed sizes",
    ),
]


@pytest.mark.parametrize("make", [random_maps, smooth_maps])
@pytest.mark.parametrize("boxes", BOXES)
def test_points_without_refinement_equal_those_of_the_library(boxes, make):
    maps = make(len(boxes))
    keypoints, _ = decode(maps, boxes, NONE)
    torch.testing.assert_close(keypoints, library(maps, boxes), rtol=0, atol=0)


@pytest.mark.parametrize("make", [random_maps, smooth_maps])
@pytest.mark.parametrize("boxes", BOXES)
def test_refinement_never_moves_a_point_by_more_than_half_a_pixel(boxes, make):
    maps = make(len(boxes))
    keypoints, _ = decode(maps, boxes, HALF)
    assert (keypoints - library(maps, boxes)).abs().max() <= 0.5001
    assert (keypoints >= boxes[:, None, :2]).all()
    ends = torch.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    assert (keypoints <= ends[:, None] + 1e-3).all()


def test_each_axis_has_its_own_limit():
    maps, boxes = smooth_maps(20), random_boxes(20, 200, 400)
    keypoints, _ = decode(maps, boxes, torch.tensor([0.1, 0.3]))
    moved = (keypoints - library(maps, boxes)).abs().amax(dim=(0, 1))
    torch.testing.assert_close(moved, torch.tensor([0.1, 0.3]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("people", [0.5, 1, 2, 7], ids=lambda n: f"{n} of the largest at a time")
def test_result_does_not_depend_on_the_part_size(people, monkeypatch):
    boxes = random_boxes(20, 60, 90)
    maps = smooth_maps(20)
    monkeypatch.setattr(module, "MAX_VALUES_CPU", int(people * 17 * 60 * 90))
    keypoints, scores = decode(maps, boxes, NONE)
    torch.testing.assert_close(keypoints, library(maps, boxes), rtol=0, atol=0)
    monkeypatch.undo()
    torch.testing.assert_close(scores, decode(maps, boxes, NONE)[1])


def test_parts_do_not_exceed_the_maximum_size():
    sizes = [[10, 10], [10, 10], [100, 1], [1, 100], [50, 50], [200, 200], [1, 1]]
    parts = [(sizes[part], room) for part, room in split(sizes, 1000)]
    assert [size for part, _ in parts for size in part] == sizes
    for part, room in parts:
        columns, rows = room
        assert room == tuple(max(lengths) for lengths in zip(*part, strict=True))
        assert len(part) == 1 or len(part) * columns * rows <= 1000


def gaussians(centres, sigma):
    """Return heatmaps of logits (N, 1, S, S), highest at the centres (N, 2), in cells from 0."""
    cells = torch.arange(SIDE) + 0.5
    squares = (cells[None, None] - centres[:, :, None]) ** 2
    logits = -(squares[:, 0, None, :] + squares[:, 1, :, None]) / (2 * sigma**2)
    return logits[:, None]


@pytest.mark.parametrize("sigma", [1.5, 3.0], ids=lambda s: f"{s} cells wide")
@pytest.mark.parametrize(
    ("size", "share"),
    [
        pytest.param((30.0, 50.0), 0.1, id="pixels larger than cells"),
        pytest.param((56.0, 112.0), 0.25, id="pixels of a cell and of half a cell"),
        # The library's kernel bends a Gaussian by a fifteenth of a cell; that is left in.
        pytest.param((90.5, 200.25), 0.8, id="cells of several pixels"),
        pytest.param((300.0, 600.0), 1.0, id="cells of many pixels"),
    ],
)
def test_maximum_between_pixels_is_located(size, share, sigma):
    rng = np.random.default_rng(1)
    centres = torch.from_numpy(rng.uniform(8, 48, (200, 2)).astype(np.float32))
    boxes = boxes_of([size] * len(centres))
    truth = boxes[:, :2] + centres / SIDE * torch.tensor(size)
    maps = gaussians(centres, sigma)
    refined, plain = decode(maps, boxes, HALF)[0][:, 0], library(maps, boxes)[:, 0]
    errors = (refined - truth).abs().mean(dim=0)
    assert (errors < share * (plain - truth).abs().mean(dim=0)).all()


@pytest.mark.parametrize("cell", [(0, 0), (55, 0), (0, 55), (55, 55), (0, 30), (30, 55)], ids=str)
@pytest.mark.parametrize("size", [(30.0, 200.0), (112.0, 56.0)], ids=str)
def test_a_peak_at_the_border_stays_in_its_last_pixel(size, cell):
    boxes = boxes_of([size])
    maps = gaussians(torch.tensor([cell]) + 0.5, 2.0)
    refined = decode(maps, boxes, HALF)[0]
    expected = library(maps, boxes)
    # Beyond the border nothing is known: there the pixel's centre is the point.
    at_border = torch.tensor([c in (0, 55) for c in cell])
    torch.testing.assert_close(refined[..., at_border], expected[..., at_border], rtol=0, atol=0)
    assert (refined - expected).abs().max() <= 0.5


def test_no_people_give_empty_arrays():
    keypoints, scores = decode(torch.zeros(0, 17, SIDE, SIDE), torch.zeros(0, 4), HALF)
    assert (keypoints.shape, scores.shape) == ((0, 17, 2), (0, 17))


# No pixel of a side that is a multiple of 8 has its middle on the border of two cells.
@pytest.mark.parametrize("make", [random_maps, smooth_maps])
@pytest.mark.parametrize("size", [(40.0, 96.0), (64.0, 200.0), (8.0, 8.0), (104.0, 24.0)], ids=str)
def test_a_score_is_the_softmax_of_the_five_by_five_cells_around_the_point(size, make):
    maps, boxes = make(3), boxes_of([size] * 3)
    keypoints, scores = decode(maps, boxes, NONE)
    points = ((keypoints - boxes[:, None, :2]) / torch.tensor(size) * SIDE).int().tolist()
    for person in range(3):
        for k in range(17):
            x, y = points[person][k]
            odds = np.exp(maps[person, k].numpy().astype(float))
            near = odds[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].sum()
            assert scores[person, k].item() == pytest.approx(near / odds.sum(), rel=1e-4)
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize(
    ("sharpness", "low", "high"), [(1e-3, 0.0, 0.01), (1.0, 0.1, 0.9), (1e3, 0.99, 1.0)]
)
def test_sharper_heatmap_has_a_higher_score(sharpness, low, high):
    maps = sharpness * gaussians(torch.tensor([[20.5, 30.5]]), 2.0)
    _, scores = decode(maps, boxes_of([(112.0, 112.0)]), HALF)
    assert low <= scores.item() <= high


@pytest.mark.parametrize("value", [0.0, -50.0, 1e6, 1e30, -1e30, float("-inf"), float("inf")])
def test_constant_heatmap_has_a_low_score(value):
    boxes = boxes_of([(40.0, 96.0)])
    keypoints, scores = decode(torch.full((1, 17, SIDE, SIDE), value), boxes, HALF)
    assert ((keypoints >= boxes[:, :2]) & (keypoints <= boxes[:, 2:])).all()
    # A corner has nine cells around it.
    assert ((scores >= 8.9 / SIDE**2) & (scores <= 25.1 / SIDE**2)).all()


def one_peak(background, peak):
    maps = torch.full((1, 1, SIDE, SIDE), background)
    maps[..., 20, 30] = peak
    return maps


@pytest.mark.parametrize(
    "maps",
    [
        pytest.param(one_peak(float("-inf"), 0.0), id="nowhere else"),
        pytest.param(one_peak(-1e38, 1e38), id="the ends of float32"),
        pytest.param(one_peak(0.0, float("inf")), id="for certain"),
        pytest.param(one_peak(float("nan"), 5.0), id="nothing known elsewhere"),
    ],
)
def test_extreme_logits_are_located(maps):
    boxes = torch.tensor([[10.0, 20.0, 66.0, 132.0]])
    keypoints, scores = decode(maps, boxes, HALF)
    # The cell's middle, (30.5, 20.5), one pixel a cell across and two down.
    torch.testing.assert_close(keypoints[0, 0], torch.tensor([40.5, 61.0]), rtol=0, atol=1.01)
    assert scores.item() == pytest.approx(1)


def test_result_does_not_depend_on_the_order_of_people():
    boxes, maps = random_boxes(30, 200, 400), smooth_maps(30)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    keypoints, scores = decode(maps, boxes, HALF)
    shuffled, shuffled_scores = decode(maps[order], boxes[order], HALF)
    torch.testing.assert_close(shuffled, keypoints[order], rtol=0, atol=1e-3)
    torch.testing.assert_close(shuffled_scores, scores[order])
