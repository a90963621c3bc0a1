"""The image stream of a node benchmark."""

from dataclasses import dataclass

import numpy as np

from poseflow_ros.bench.error import BenchError
from poseflow_ros.poses import Image

QOS = ("best_effort", "reliable")
_N_IMAGES = 4
_TILE_PX, _STEP_PX = 16, 4


@dataclass(frozen=True, slots=True)
class ImageStream:
    """Size, rate, duration and QoS of the images of each camera.

    Attributes:
        width, height: of the images, pixels.
        rate_hz: images per second.
        seconds: duration.
        qos: best_effort or reliable.
        cameras: number of cameras.

    Raises:
        BenchError: a value is out of its range.
    """

    width: int
    height: int
    rate_hz: float
    seconds: float
    qos: str = "reliable"
    cameras: int = 1

    def __post_init__(self) -> None:
        for name, least, most in (
            *(("width", 32, 4096), ("height", 32, 4096)),
            *(("rate_hz", 1.0, 1000.0), ("seconds", 3.0, 3600.0)),
            ("cameras", 1, 16),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise BenchError(f"{name} is {value:g}, must be from {least:g} to {most:g}")
        if self.qos not in QOS:
            raise BenchError(f"qos is {self.qos!r}, must be one of {', '.join(QOS)}")

    @property
    def n_images(self) -> int:
        """Number of images per camera."""
        return round(self.rate_hz * self.seconds)

    @property
    def camera_names(self) -> list[str]:
        """Names of the cameras; a single camera has no name."""
        numbers = range(1, self.cameras + 1)
        return [f"camera{i}" for i in numbers] if self.cameras > 1 else [""]

    def images(self) -> list[Image]:
        """Return the images, which are repeated: colored tiles that move back and forth.

        Returns:
            (height, width, 3) uint8 BGR images without people; consecutive images are shifted by
            4 pixels.
        """
        margin = _STEP_PX * (_N_IMAGES - 1)
        y = np.arange(self.height)[:, None] // _TILE_PX
        x = np.arange(self.width + margin)[None] // _TILE_PX
        scene = np.stack([x * a + y * b + x * y * c for a, b, c in
                          ((53, 97, 11), (89, 31, 7), (17, 71, 13))], axis=2)  # fmt: skip
        pixels = (scene % 256).astype(np.uint8)
        shifts = [_STEP_PX * i for i in range(_N_IMAGES)]
        return [pixels[:, s : s + self.width] for s in shifts + shifts[-2:0:-1]]
