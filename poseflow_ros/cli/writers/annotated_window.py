"""Show the tracked people of each image in a window."""

from tqdm import tqdm

from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.imaging.annotate import draw
from poseflow_ros.imaging.window import Window
from poseflow_ros.skeletons.skeleton import Skeleton


class AnnotatedWindow:
    """Shows images with their people in a window, until the user quits."""

    def __init__(self, skeleton: Skeleton, min_keypoint_score: float) -> None:
        self._skeleton = skeleton
        self._min_keypoint_score = min_keypoint_score
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
        labels = result.labels(result.people.track_ids)
        score = self._min_keypoint_score
        image = draw(result.image, result.people, self._skeleton, score, labels)
        self._window.show(image, result.index)
