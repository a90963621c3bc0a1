"""Suppression as a fixed point: equal to torchvision's, or not settled."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")

from poseflow_ros.estimation.suppression import fixed_point, suppress  # noqa: E402


def crowd(n, spread, seed):
    """Return n boxes in descending order of score, about 25 people, and the scores."""
    torch.manual_seed(seed)
    corners = (torch.rand(25, 2) * 900)[torch.randint(0, 25, (n,))] + torch.randn(n, 2) * spread
    sides = torch.tensor([60.0, 160.0]) * (1 + 0.15 * torch.randn(n, 2)).clamp(min=0.3)
    return torch.cat([corners, corners + sides], dim=1), torch.rand(n).sort(descending=True)[0]


def kept_by_torchvision(boxes, scores, valid, max_iou):
    rows = valid.nonzero()[:, 0]
    keep = torch.zeros(len(boxes), dtype=torch.bool)
    keep[rows[torchvision.ops.nms(boxes[rows], scores[rows], max_iou)]] = True
    return keep


@pytest.mark.parametrize("method", [fixed_point, suppress])
@pytest.mark.parametrize("max_iou", [0.5, 0.7])
@pytest.mark.parametrize("spread", [0.5, 3.0, 30.0], ids=["one place", "people", "loose"])
def test_sets_of_boxes_are_suppressed_as_by_torchvision(spread, max_iou, method):
    sets = [crowd(400, spread, seed) for seed in range(3)]
    valid = torch.rand(3, 400) < torch.tensor([[1.0], [0.7], [0.0]])
    keep, settled = method(torch.stack([boxes for boxes, _ in sets]), valid, max_iou)
    expected = [
        kept_by_torchvision(*part, mask, max_iou) for part, mask in zip(sets, valid, strict=True)
    ]
    assert settled
    assert torch.equal(keep, torch.stack(expected))
    assert keep[0].any()


def test_empty_boxes_suppress_nothing():
    boxes = torch.tensor([[[5.0, 5, 5, 5], [5, 5, 5, 5], [0, 0, 10, 10]]])
    keep, settled = fixed_point(boxes, torch.ones(1, 3, dtype=torch.bool), 0.5)
    assert keep.tolist() == [[True] * 3]
    assert settled


@pytest.mark.parametrize(("n", "expected"), [(10, True), (100, False)])
def test_a_long_chain_in_which_each_box_suppresses_the_next_does_not_settle(n, expected):
    # Every box overlaps its neighbours by more than half; every second one is kept.
    x = torch.arange(n) * 10.0
    boxes = torch.stack([x, torch.zeros(n), x + 40, torch.full((n,), 40.0)], dim=1)[None]
    valid = torch.ones(1, n, dtype=torch.bool)
    keep, settled = fixed_point(boxes, valid, 0.5)
    assert bool(settled) == expected
    if expected:
        assert keep[0].tolist() == [i % 2 == 0 for i in range(n)]
