"""The interface of appearance models, which describe people by vectors."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from poseflow_ros.poses import FloatArray, Image, Poses
from poseflow_ros.tracking.appearance_likelihood import NOT_COMPARED, AppearanceLikelihood


class AppearanceModel(Protocol):
    """Describes the appearance of people by vectors. One model serves all cameras.

    Attributes:
        likelihood: constants that convert distances of these vectors to likelihood ratios.
    """

    likelihood: AppearanceLikelihood

    def describe(self, images: Sequence[Image], poses: Sequence[Poses]) -> list[FloatArray]:
        """Return the appearances of the people in each image.

        Args:
            images: one or more (H, W, 3) RGB images, of any sizes.
            poses: the N people in each image.

        Returns:
            (N, D) unit vectors for each image; zero vectors if the appearance is unknown.
        """


class NoAppearance:
    """The model for an association that does not compare appearances."""

    likelihood = NOT_COMPARED

    def describe(self, images: Sequence[Image], poses: Sequence[Poses]) -> list[FloatArray]:
        """Return (N, 0) for each image."""
        return [np.zeros((len(one), 0)) for one in poses]
