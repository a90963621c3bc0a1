"""The workload of an estimator benchmark."""

from dataclasses import dataclass

import numpy as np

from poseflow_ros.bench.error import BenchError
from poseflow_ros.poses import Image

_MAX_PEOPLE = 40


@dataclass(frozen=True, slots=True)
class Workload:
    """The images and the duration of the measurement.

    Attributes:
        width, height: size of the images, pixels.
        people: number of people in each image.
        batch: number of images in a call.
        seconds: time for which each call is repeated.

    Raises:
        BenchError: a value is out of its range.
    """

    width: int
    height: int
    people: int
    batch: int
    seconds: float

    def __post_init__(self) -> None:
        for name, least, most in (
            *(("width", 32, 8192), ("height", 32, 8192), ("people", 0, _MAX_PEOPLE)),
            *(("batch", 1, 64), ("seconds", 0.0, 3600.0)),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise BenchError(f"{name} is {value:g}, must be from {least:g} to {most:g}")

    def images(self) -> list[Image]:
        """Return one batch of noise, the same in every call."""
        rng = np.random.default_rng(0)
        shape = (self.batch, self.height, self.width, 3)
        return list(rng.integers(0, 256, shape, np.uint8))
