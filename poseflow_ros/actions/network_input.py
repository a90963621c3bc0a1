"""Windows of poses as the input of the network that the parameters describe."""

from dataclasses import replace

from poseflow_ros.action_config import ClassifierConfig
from poseflow_ros.actions.heatmaps import heatmaps
from poseflow_ros.actions.layouts import nctvm, nmtvc, openpose18, uniform_samples
from poseflow_ros.actions.windows import Float32Array, Windows

_N_KEYPOINTS = {"coco17": 17, "openpose18": 18}
_HEATMAP_PX = 64


def input_shape(config: ClassifierConfig) -> tuple[int, ...]:
    """Return the shape of the input, without the first axis."""
    frames, keypoints, people = config.frames, _N_KEYPOINTS[config.keypoints], config.people
    return {
        "nmtvc": (people, frames, keypoints, 3),
        "nctvm": (3, frames, keypoints, people),
        "heatmaps": (keypoints, frames, _HEATMAP_PX, _HEATMAP_PX),
    }[config.layout]


def network_input(windows: Windows, config: ClassifierConfig) -> Float32Array:
    """Return (N, ...) the input of N people, see `input_shape`."""
    windows = _first_keypoints(windows)
    if config.keypoints == "openpose18":
        windows = openpose18(windows)
    if config.layout == "heatmaps":
        return heatmaps(windows, n_frames=config.frames, size=_HEATMAP_PX)
    windows = uniform_samples(windows.filled(), config.frames)
    layout = nmtvc if config.layout == "nmtvc" else nctvm
    return layout(windows, config.normalization, config.people)


def _first_keypoints(windows: Windows) -> Windows:
    """Return the windows with the 17 keypoints that the larger skeletons begin with."""
    body = slice(0, 17)
    return replace(
        windows,
        keypoints=windows.keypoints[:, :, body],
        scores=windows.scores[:, :, body],
        points=windows.points[:, :, body],
    )
