"""The proposals of a region network: boxes that may show a person, of fixed number."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from poseflow_ros.estimation.boxes import Size, Weights, apply_deltas, larger_than
from poseflow_ros.estimation.suppression import suppress, waits_for_free


@dataclass(frozen=True, slots=True)
class ProposalSettings:
    """How a library selects proposals.

    Attributes:
        per_level: number of anchors of a level, those of the highest score.
        per_image: number of proposals of an image.
        max_iou: overlap above which the lower score of a level is suppressed.
        min_side: of a box, pixels.
        or_equal: whether a side equal to `min_side` is large enough.
        weights: of the deltas.
    """

    per_level: int
    per_image: int
    max_iou: float
    min_side: float
    or_equal: bool
    weights: Weights


@dataclass(frozen=True, slots=True)
class Proposals:
    """The proposals of B images.

    Attributes:
        boxes: (B, P, 4) in descending order of score, pixels; zero where there is none.
        valid: (B, P) whether there is one.
        settled: () whether suppression was exact.
    """

    boxes: Tensor
    valid: Tensor
    settled: Tensor

    def regions(self) -> Tensor:
        """Return (B * P, 5): image, box."""
        return number_images(self.boxes)


def number_images(boxes: Tensor) -> Tensor:
    """Return (B * P, 5), the image before each box of (B, P, 4)."""
    n, p, _ = boxes.shape
    images = torch.arange(n, device=boxes.device, dtype=boxes.dtype)
    return torch.cat([images[:, None, None].expand(n, p, 1), boxes], dim=2).flatten(0, 1)


def propose(
    objectness: Sequence[Tensor],
    deltas: Sequence[Tensor],
    anchors: Sequence[Tensor],
    size: Size,
    settings: ProposalSettings,
) -> Proposals:
    """Return the proposals, decoding only the anchors of the highest scores.

    Args:
        objectness: (B, A, h, w) logits of each level.
        deltas: (B, 4 A, h, w) of each level.
        anchors: (h w A, 4) of each level, pixels.
        size: height and width of an image in the network's input, pixels.
        settings: how to select.
    """
    levels = [
        _best_of_level(*level, size, settings)
        for level in zip(objectness, deltas, anchors, strict=True)
    ]
    n = len(objectness[0])
    # One set to suppress in for each image and level.
    scores, boxes = (
        torch.stack(parts, dim=1).flatten(0, 1) for parts in zip(*levels, strict=True)
    )
    valid = scores.isfinite() & larger_than(boxes, settings.min_side, or_equal=settings.or_equal)
    keep, settled = suppress(boxes, valid, settings.max_iou)
    scores = torch.where(keep, scores, -torch.inf).view(n, -1)
    scores, order = scores.topk(min(settings.per_image, scores.shape[1]), dim=1)
    valid = scores > -torch.inf
    boxes = boxes.view(n, -1, 4).gather(1, order[..., None].expand(-1, -1, 4))
    boxes = torch.where(valid[..., None], boxes, 0)
    if waits_for_free(boxes):  # spare the head the empty rows
        most = max(1, int(valid.sum(dim=1).max()))
        boxes, valid = boxes[:, :most], valid[:, :most]
    return Proposals(boxes, valid, settled)


def _best_of_level(
    objectness: Tensor, deltas: Tensor, anchors: Tensor, size: Size, settings: ProposalSettings
) -> tuple[Tensor, Tensor]:
    """Return the best scores (B, K) of a level and their boxes (B, K, 4), filled up to K."""
    # (B, A D, h, w) -> (B, h w A, D), D = 1 for objectness and 4 for deltas
    scores = objectness.permute(0, 2, 3, 1).flatten(1).float()
    deltas = deltas.permute(0, 2, 3, 1).reshape(len(deltas), -1, 4)
    scores, best = scores.topk(min(settings.per_level, scores.shape[1]), dim=1)
    deltas = deltas.gather(1, best[..., None].expand(-1, -1, 4)).float()
    boxes = apply_deltas(deltas, anchors[best], settings.weights, size)
    missing = settings.per_level - scores.shape[1]
    return (
        functional.pad(scores, (0, missing), value=-torch.inf),
        functional.pad(boxes, (0, 0, 0, missing)),
    )
