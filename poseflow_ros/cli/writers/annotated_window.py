"""Show the tracked people of each image in a window."""

from tqdm import tqdm

from poseflow_ros.cli.writers.annotator import Annotator
from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.config import MarkersConfig
from poseflow_ros.imaging.window import Window
from poseflow_ros.skeletons.skeleton import Skeleton


class AnnotatedWindow:
    """Shows images with their people in a window, until the user quits."""

    def __init__(self, skeleton: Skeleton, config: MarkersConfig) -> None:
        self._annotate = Annotator(skeleton, config)
        self._window = Window("poseflow_ros", tqdm.write)

    def __enter__(self) -> "AnnotatedWindow":
        return self

    def __exit__(self, *_: object) -> None:
        self._window.close()

    def __call__(self, result: TrackedImage) -> None:
        """Show the people of one image.

        Raises:
            WindowClosed: the user quits.
            WindowError: the image cannot be saved.
        """
        self._window.show(
            self._annotate(result.image, result.stamp_s, result.people), result.index
        )
