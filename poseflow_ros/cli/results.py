"""What is written for each image, from the frames of the pipeline."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.actions.behaviors import BehaviorFrame
from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.config import Config, TrackerConfig
from poseflow_ros.imaging.rotation import Rotation
from poseflow_ros.imaging.source import ImageHeader
from poseflow_ros.pipeline import Frame, as_received, published
from poseflow_ros.poses import Image, TrackedPoses, TrackState
from poseflow_ros.ros_data.bag_depth import BagDepth
from poseflow_ros.ros_data.camera_behaviors import CameraBehaviors
from poseflow_ros.ros_data.depth import DepthContext, People3D
from poseflow_ros.spatial.lens import Lens


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where an image comes from, delayed together with it.

    Attributes:
        header: of an image in a bag, otherwise None.
        context: from which its people get 3D positions; None without depth.
    """

    header: ImageHeader | None = None
    context: DepthContext | None = None


class Results:
    """Makes images upright for the pipeline, and makes what is written of its frames."""

    def __init__(
        self,
        config: Config,
        rotation: Rotation,
        bag: BagDepth | None,
        behaviors: CameraBehaviors | None,
    ) -> None:
        """Make results.

        Args:
            config: all parameters.
            rotation: of the images.
            bag: calibration and depth of the images; None for other sources.
            behaviors: recognizes them; None where they are not written.
        """
        self._config = config
        self._rotation = rotation
        self._bag = bag
        self._behaviors = behaviors
        self._n_made = 0

    def upright(
        self, images: Iterable[tuple[Image, float]], headers: deque[ImageHeader]
    ) -> Iterator[tuple[Image, float, Origin]]:
        """Yield each image upright, with its stamp in seconds and its origin.

        Args:
            images: as received, and their stamps.
            headers: of the images; empty where there are none.
        """
        for image, stamp_s in images:
            header = headers.popleft() if headers else None
            context = self._bag.context(header, image.shape[:2]) if self._bag and header else None
            yield self._rotation.upright(image), stamp_s, Origin(header, context)

    def make(self, frame: Frame[Origin], is_last: bool) -> TrackedImage:
        """Return what is written for the next frame; `is_last` if none follows."""
        received, config = as_received(frame, self._rotation), self._config.tracker
        tracked, header = received.tracked, frame.payload.header
        in_messages = tracked[published(tracked, config, lost=False)]
        located, size = self._locate(in_messages, frame), received.image.shape[:2]
        self._n_made += 1
        return TrackedImage(
            image=received.image,
            stamp_s=frame.stamp_s,
            index=self._n_made - 1,
            epoch=frame.epoch,
            tracked=tracked,
            people=tracked[_written(tracked, config, is_last)],
            published=in_messages,
            located=located,
            behaviors=self._recognize(in_messages, located, frame, size),
            lens=self._lens(header, size),
            header=header,
        )

    def _locate(self, tracked: TrackedPoses, frame: Frame[Origin]) -> People3D | None:
        if self._bag is None:
            return None
        return self._bag.locate(tracked, frame.payload.context, frame.epoch)

    def _recognize(
        self,
        tracked: TrackedPoses,
        located: People3D | None,
        frame: Frame[Origin],
        size: tuple[int, int],
    ) -> BehaviorFrame | None:
        if self._behaviors is None:
            return None
        return self._behaviors.recognize(tracked, located, frame.stamp_s, size, frame.epoch)

    def _lens(self, header: ImageHeader | None, size: tuple[int, int]) -> Lens:
        if self._bag is None or header is None:
            return Lens.assumed(size[1], size[0])
        return self._bag.lens(header, size)


def _written(tracked: TrackedPoses, config: TrackerConfig, is_last: bool) -> NDArray[np.bool_]:
    """Return (N,), true for the people that are written.

    In the last image, such as a single photo, tentative people too: no image follows that could
    confirm them.
    """
    tentative = (tracked.states == TrackState.TENTATIVE) & (config.publish_tentative or is_last)
    return tracked.visible | tentative
