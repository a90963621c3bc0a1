"""The interface of every estimator."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from poseflow_ros.poses import Image, Poses
from poseflow_ros.skeletons.skeleton import Skeleton


class PoseEstimator(Protocol):
    """Finds the people in an image."""

    skeleton: Skeleton
    description: str
    """The network, its input size and its device, for logs and diagnostics."""
    batches: bool
    """Whether a batch of images takes less time than the images one by one."""

    @property
    def device_bytes(self) -> int:
        """Bytes of memory that the network takes on a GPU; 0 on a CPU."""
        ...

    def estimate(self, image: Image) -> Poses:
        """Return the people in an (H, W, 3) uint8 RGB image, every score in [0, 1].

        Raises:
            OutOfMemoryError, DeviceLostError: the device failed.
        """
        ...

    def estimate_batch(self, images: Sequence[Image]) -> list[Poses]:
        """Return the people in each of several images, which may differ in size.

        Raises:
            OutOfMemoryError, DeviceLostError: the device failed.
        """
        ...

    def close(self) -> None:
        """Release the memory and threads of the network; a second call does nothing."""
        ...


@runtime_checkable
class ReportsValues(Protocol):
    """An estimator that has values of its own for the diagnostics."""

    def values(self) -> dict[str, str]:
        """Return the values by their names."""
        ...
