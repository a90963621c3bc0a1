"""Non-maximum suppression of many sets of boxes at once, without waiting for the device."""

import torch
from torch import Tensor
from torchvision.ops import nms

# Proposals and people, even of networks with random weights, settle within 12 rounds; a longer
# chain of boxes, each of which suppresses the next, does not settle.
_ROUNDS = 20


def suppress(boxes: Tensor, valid: Tensor, max_iou: float) -> tuple[Tensor, Tensor]:
    """Return which boxes greedy suppression keeps, and whether the answer is exact.

    Args:
        boxes: (G, N, 4) in descending order of score, suppressed within each of the G sets.
        valid: (G, N) which boxes take part.
        max_iou: the largest overlap of two kept boxes.

    Returns:
        keep (G, N), and settled (), a bool: False if a chain of boxes is too long to be exact.
    """
    if waits_for_free(boxes):
        keep = torch.stack([_greedy(*part, max_iou) for part in zip(boxes, valid, strict=True)])
        return keep, torch.ones((), dtype=torch.bool)
    return fixed_point(boxes, valid, max_iou)


def waits_for_free(values: Tensor) -> bool:
    """Return whether reading these values costs nothing: they are on the host.

    While a graph is recorded for export there are no values yet.
    """
    return values.device.type == "cpu" and not torch.jit.is_tracing()


def fixed_point(boxes: Tensor, valid: Tensor, max_iou: float) -> tuple[Tensor, Tensor]:
    """Return the same as `suppress` without waiting for the device.

    A box is kept if no kept box of a higher score overlaps it by more than `max_iou`. Kept boxes
    are the only fixed point of this rule; each round applies it once to all boxes.
    """
    taking_part = valid.to(torch.float32)[:, None]
    overlapping = _overlapping(boxes, max_iou).to(torch.float32)
    keep = before = taking_part
    for _ in range(_ROUNDS):
        before = keep
        # 1 where the box takes part and the number of kept boxes that suppress it is 0.
        keep = torch.baddbmm(taking_part, keep, overlapping, alpha=-1).relu_()
    return keep[:, 0] > 0, (keep == before).all()


def _greedy(boxes: Tensor, valid: Tensor, max_iou: float) -> Tensor:
    """Return which boxes (N, 4) torchvision keeps."""
    rows = valid.nonzero()[:, 0]
    descending = torch.arange(len(rows), 0, -1, dtype=boxes.dtype)
    keep = torch.zeros_like(valid)
    keep[rows[nms(boxes[rows], descending, max_iou)]] = True
    return keep


def _overlapping(boxes: Tensor, max_iou: float) -> Tensor:
    """Return (G, N, N) whether box i, of a higher score, suppresses box j."""
    x1, y1, x2, y2 = boxes.unbind(dim=-1)
    area = (x2 - x1) * (y2 - y1)
    width = torch.minimum(x2[:, :, None], x2[:, None]) - torch.maximum(x1[:, :, None], x1[:, None])
    height = torch.minimum(y2[:, :, None], y2[:, None]).sub_(
        torch.maximum(y1[:, :, None], y1[:, None])
    )
    common = width.clamp_(min=0).mul_(height.clamp_(min=0))
    iou = common.div_(area[:, :, None] + area[:, None] - common)
    return (iou > max_iou).triu(diagonal=1)
