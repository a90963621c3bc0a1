"""The people of a batch of images in tensors of fixed size."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from poseflow_ros.estimation.boxes import Size, Weights, apply_deltas, larger_than
from poseflow_ros.estimation.heatmaps import pixel_lengths
from poseflow_ros.estimation.proposals import Proposals, number_images
from poseflow_ros.estimation.suppression import suppress

# The numbers of people for which the keypoint head runs: a device plans each number once.
PADDED = (1, 2, 4, 8, 16, 20)


def padded(n: int) -> int:
    """Return the number of people for which the keypoint head runs where there are n."""
    return next((size for size in PADDED if size >= n), -(-n // PADDED[-1]) * PADDED[-1])


@dataclass(frozen=True, slots=True)
class PeopleSettings:
    """How people are selected from the proposals.

    Attributes:
        per_image: largest number of people in an image, those of the highest score.
        min_score: a person's score is higher.
        max_iou: overlap above which the lower score is suppressed.
        min_side: of a box, pixels.
        or_equal: whether a side equal to `min_side` is large enough.
        weights: of the deltas.
    """

    per_image: int
    min_score: float | Tensor
    max_iou: float
    min_side: float
    or_equal: bool
    weights: Weights


@dataclass(frozen=True, slots=True)
class PaddedPeople:
    """At most P people in each of B images.

    Attributes:
        boxes: (B, P, 4) in descending order of score, pixels of the network's input.
        scores: (B, P), 0 behind the last person.
        settled: () whether suppression was exact.
    """

    boxes: Tensor
    scores: Tensor
    settled: Tensor

    @classmethod
    def of_lists(cls, boxes: Sequence[Tensor], scores: Sequence[Tensor]) -> "PaddedPeople":
        """Return the people of B images from their boxes (N, 4) and scores (N,)."""
        settled = torch.ones((), dtype=torch.bool, device=boxes[0].device)
        pad = torch.nn.utils.rnn.pad_sequence
        return cls(pad(list(boxes), True), pad(list(scores), True), settled)

    def summary(self) -> Tensor:
        """Return what the host needs to know, (B, 2 + 2 P): settled, number, widths, heights."""
        n = len(self.scores)
        return torch.cat(
            [
                self.settled.expand(n, 1),
                (self.scores > 0).sum(dim=1, keepdim=True),
                pixel_lengths(self.boxes).transpose(1, 2).flatten(1),
            ],
            dim=1,
        )

    def first(self, n: int) -> tuple[Tensor, Tensor]:
        """Return the regions (n, 5), image and box, and the scores (n,) of the first n people.

        The people of the first image come first; behind the last person are empty regions.
        """
        scores = self.scores.flatten()
        order = torch.argsort((scores <= 0).to(torch.uint8), stable=True)[:n]
        return number_images(self.boxes)[order], scores[order]


def select_people(
    proposals: Proposals, scores: Tensor, deltas: Tensor, size: Size, settings: PeopleSettings
) -> PaddedPeople:
    """Return the people among the proposals.

    Args:
        proposals: P in each of B images.
        scores: (B * P,) of a person.
        deltas: (B * P, 4).
        size: height and width of an image in the network's input, pixels.
        settings: how to select.
    """
    valid = proposals.valid
    boxes = apply_deltas(deltas.view(*valid.shape, 4), proposals.boxes, settings.weights, size)
    scores = scores.view(valid.shape)
    valid = valid & (scores > settings.min_score) & scores.isfinite()
    valid = valid & larger_than(boxes, settings.min_side, or_equal=settings.or_equal)
    scores, order = _in_descending_order(torch.where(valid, scores, 0))
    boxes = boxes.gather(1, order[..., None].expand(-1, -1, 4))
    keep, settled = suppress(boxes, scores > 0, settings.max_iou)
    n = min(settings.per_image, scores.shape[1])
    scores, order = torch.where(keep, scores, 0).topk(n, dim=1)
    boxes = boxes.gather(1, order[..., None].expand(-1, -1, 4))
    boxes = torch.where(scores[..., None] > 0, boxes, 0)
    return PaddedPeople(boxes, scores, settled & proposals.settled)


def _in_descending_order(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return scores (B, P) sorted, equal ones in their order, and the indices."""
    if torch.jit.is_tracing():  # for ONNX, which has no sort, and whose TopK keeps the order
        return scores.topk(scores.shape[1], dim=1)
    return scores.sort(dim=1, descending=True, stable=True)
