"""Pooling from the canvas of all levels: equal to pooling level by level."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("torchvision", reason="torchvision is not installed")

from torchvision.ops import MultiScaleRoIAlign, roi_align  # noqa: E402

from poseflow_ros.estimation.pooling import (  # noqa: E402
    PoolSettings,
    level_places,
    make_canvas,
)

HEIGHT, WIDTH = 256, 352
TORCHVISION = PoolSettings(
    sampling_ratio=2, aligned=False, level_margin=1e-6, min_level=2, max_level=5
)
DETECTRON2 = PoolSettings(
    sampling_ratio=0, aligned=True, level_margin=0.0, min_level=2, max_level=5
)


@pytest.fixture(scope="module")
def levels():
    torch.manual_seed(0)
    return [torch.randn(2, 3, HEIGHT >> k, WIDTH >> k) for k in range(2, 6)]


@pytest.fixture(scope="module")
def canvas(levels):
    return make_canvas(levels, torch.tensor(level_places(levels, 2)), 2)


def regions(kind):
    """Return 500 regions (image, box) of the two images, clipped to them."""
    torch.manual_seed(1)
    corner = torch.rand(500, 2) * torch.tensor([WIDTH, HEIGHT])
    if kind == "at the edge":  # as wide and high as a pixel, at the right or the bottom
        corner = torch.where(torch.rand(500, 2) < 0.5, corner, torch.tensor([WIDTH, HEIGHT]) - 0.5)
        sides = torch.rand(500, 2)
    else:
        sides = torch.rand(500, 2) ** 3 * torch.tensor([WIDTH, HEIGHT]) + 0.01
    high = torch.minimum(corner + sides, torch.tensor([WIDTH, HEIGHT]))
    return torch.cat([torch.randint(0, 2, (500, 1)), corner, high], dim=1)


@pytest.mark.parametrize("side", [7, 14])
@pytest.mark.parametrize("kind", ["of all sizes", "at the edge"])
def test_it_equals_torchvision_s_pooling(kind, side, levels, canvas):
    rois = regions(kind)
    pool = MultiScaleRoIAlign(["0", "1", "2", "3"], side, 2)
    of_images = [rois[rois[:, 0] == i] for i in (0, 1)]
    features = {str(i): level for i, level in enumerate(levels)}
    expected = pool(features, [x[:, 1:] for x in of_images], [(HEIGHT, WIDTH)] * 2)
    pooled = canvas.pool(torch.cat(of_images), side, TORCHVISION)
    torch.testing.assert_close(pooled, expected, rtol=0, atol=1e-4)
    assert pooled.abs().max() > 1


@pytest.mark.parametrize("kind", ["of all sizes", "at the edge"])
def test_it_equals_detectron2_s_pooling(kind, levels, canvas):
    # detectron2 assigns a box to a level as torchvision does, and pools aligned.
    rois = regions(kind)
    size = ((rois[:, 3] - rois[:, 1]) * (rois[:, 4] - rois[:, 2])).sqrt()
    level = (4 + (size / 224 + 1e-8).log2()).floor().clamp(2, 5)
    pooled = canvas.pool(rois, 7, DETECTRON2)
    for k, features in zip(range(2, 6), levels, strict=True):
        mine = level == k
        expected = roi_align(features, rois[mine], 7, 2.0**-k, 0, aligned=True)
        torch.testing.assert_close(pooled[mine], expected, rtol=0, atol=1e-4)


def test_a_region_of_nothing_is_pooled_without_failing(canvas):
    empty = torch.zeros(1, 5)
    assert canvas.pool(empty, 7, TORCHVISION).isfinite().all()
    assert canvas.pool(empty, 7, DETECTRON2).isfinite().all()


def test_levels_in_half_precision_are_pooled_in_float32(levels):
    halves = [level.half().to(memory_format=torch.channels_last) for level in levels]
    canvas = make_canvas(halves, torch.tensor(level_places(halves, 2)), 2)
    rois = regions("of all sizes")
    exact = make_canvas([x.float() for x in halves], canvas.places, 2)
    assert canvas.values.dtype == torch.float32
    assert canvas.values.is_contiguous()
    torch.testing.assert_close(
        canvas.pool(rois, 7, TORCHVISION), exact.pool(rois, 7, TORCHVISION), rtol=0, atol=0
    )
