"""Estimators that look for people where the tracker expects them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from poseflow_ros.estimation.estimator import PoseEstimator
from poseflow_ros.poses import Image, IntArray, Poses
from poseflow_ros.tracking.predictions import NO_IDS, Predictions


@dataclass(frozen=True, slots=True, eq=False)
class Hint:
    """What is known about an image before its poses are estimated.

    Attributes:
        camera: whose image it is.
        stamp_s: when it was taken, seconds.
        predictions: where people are expected in it.
        budget_s: how long the network may take so that no image is dropped, seconds; inf: no
            limit.
    """

    camera: str
    stamp_s: float
    predictions: Predictions
    budget_s: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The people found in an image.

    Attributes:
        poses: theirs.
        unscanned_ids: the predicted tracks that were not looked for.
        n_left_out: how many passes of the network were left out to limit the time.
    """

    poses: Poses
    unscanned_ids: IntArray
    n_left_out: int = 0


@runtime_checkable
class GuidedEstimator(Protocol):
    """A PoseEstimator that makes use of hints.

    Attributes:
        uses_hints: whether it does, as it is configured.
    """

    uses_hints: bool

    def estimate_guided(self, images: Sequence[Image], hints: Sequence[Hint]) -> list[Estimate]:
        """Return the people in each of several images, which may differ in size.

        Raises:
            OutOfMemoryError, DeviceLostError: the device failed.
        """
        ...


def estimate_with_hints(
    estimator: PoseEstimator, images: Sequence[Image], hints: Sequence[Hint]
) -> list[Estimate]:
    """Return the people in each image; the estimator may ignore the hints."""
    if isinstance(estimator, GuidedEstimator) and estimator.uses_hints:
        return estimator.estimate_guided(images, hints)
    return [Estimate(poses, NO_IDS) for poses in estimator.estimate_batch(images)]
