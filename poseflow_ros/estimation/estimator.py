"""What an estimator is, and how the one in the configuration is made."""

from typing import Protocol

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.poses import Image, Poses
from poseflow_ros.skeleton import Skeleton


class EstimatorError(RuntimeError):
    """An estimator that cannot be made; the text names the parameter and says what to do."""


class PoseEstimator(Protocol):
    """Finds the people in an image."""

    skeleton: Skeleton
    description: str
    """The network, its input and its device, for logs and diagnostics."""

    def estimate(self, image: Image) -> Poses:
        """Return the people in an (H, W, 3) RGB image, every score in [0, 1]."""
        ...

    def close(self) -> None:
        """Give back the memory and threads of the network."""
        ...


def make_estimator(config: EstimatorConfig) -> PoseEstimator:
    """Return the estimator that the configuration names, its model loaded.

    Raises:
        EstimatorError: a library or the model is missing or cannot be used.
    """
    match config.estimator:
        case "movenet":
            from poseflow_ros.estimation.movenet import MoveNet

            return MoveNet(config)
        case unknown:
            raise EstimatorError(f"estimator is {unknown!r}, which nothing here implements")
