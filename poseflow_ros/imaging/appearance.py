"""What people look like, as vectors: the interface of the models that make them."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from poseflow_ros.poses import FloatArray, Image, Poses
from poseflow_ros.tracking.appearance_likelihood import NOT_COMPARED, AppearanceLikelihood


class AppearanceModel(Protocol):
    """Describes people so that they can be distinguished. One model serves all cameras.

    Attributes:
        likelihood: how alike its vectors of one person and of different people are.
    """

    likelihood: AppearanceLikelihood

    def describe(self, images: Sequence[Image], poses: Sequence[Poses]) -> list[FloatArray]:
        """Return the appearances of the people in each image.

        Args:
            images: (H, W, 3) RGB each, one or more, of any sizes.
            poses: the N people in each of them.

        Returns:
            (N, D) unit vectors for each image, 0 where a person's appearance is unknown.
        """


class NoAppearance:
    """The model for an association that does not compare appearances."""

    likelihood = NOT_COMPARED

    def describe(self, images: Sequence[Image], poses: Sequence[Poses]) -> list[FloatArray]:
        """Return (N, 0) for each image."""
        return [np.zeros((len(one), 0)) for one in poses]
