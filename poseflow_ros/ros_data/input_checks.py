"""What about the inputs of a camera cannot be right, in words for the diagnostics."""

import re
from collections.abc import Sequence

import numpy as np

from poseflow_ros.spatial.depth import DepthImage

# Depth cameras do not measure below this, and no room is as large as this.
_MIN_PLAUSIBLE_M, _MAX_PLAUSIBLE_M = 0.02, 300.0
# Every so many rows and columns are enough for a median.
_SIDE = 60
_RECTIFIED = re.compile(r"(^|/)image_rect[^/]*(/|$)")
# A camera's clock may be this much ahead of the node's.
_MAX_AHEAD_S = 1.0


def without_slash(frame_id: str) -> str:
    """Return a frame_id without the leading slash of ROS 1, which TF does not allow."""
    return frame_id.lstrip("/")


def frame_problem(name: str, frame_id: str, image_frame_id: str) -> str:
    """Return that an input is of another frame than the image; empty if it may be the same.

    Args:
        name: of the input.
        frame_id: of the input; empty if unknown.
        image_frame_id: of the image, likewise.
    """
    frame_id, image_frame_id = without_slash(frame_id), without_slash(image_frame_id)
    if not frame_id or not image_frame_id or frame_id == image_frame_id:
        return ""
    problem = f"{name} has the frame_id {frame_id!r}, the image {image_frame_id!r}"
    return f"{problem}: it must be registered to the image" if name == "depth" else problem


def size_problem(size: tuple[int, int], image_size: tuple[int, int]) -> str:
    """Return that camera_info is for images of another (height, width); empty if it fits.

    Args:
        size: of camera_info, pixels; zeros where unknown.
        image_size: of the image, pixels.
    """
    if not all(size) or tuple(size) == tuple(image_size):
        return ""
    (h, w), (image_h, image_w) = size, image_size
    return f"camera_info is for images of {w} x {h} pixels, these are {image_w} x {image_h}"


def unit_problem(encoding: str, depth: DepthImage, max_m: float) -> str:
    """Return that a depth image is in another unit than REP 118 says; empty if it is plausible.

    Args:
        encoding: of the message.
        depth: (H, W) in metres, if the message is as REP 118 says.
        max_m: depths beyond this are unknown, metres.
    """
    rows, columns = (max(1, n // _SIDE) for n in depth.shape)
    sample = depth[::rows, ::columns]
    known = sample[np.isfinite(sample) & (sample > 0)]
    if not known.size:
        return ""
    median, floats = float(np.median(known)), encoding == "32FC1"
    if median < _MIN_PLAUSIBLE_M:
        unit = "in kilometres" if floats else "in metres or centimetres"
    elif floats and median > max(max_m, _MAX_PLAUSIBLE_M):
        unit = "in millimetres"
    elif not floats and median > max_m:
        unit = "in tenths of a millimetre, or depth.max_m is too small"
    else:
        return ""
    wanted = "metres" if floats else "millimetres"
    return (
        f"the median of the {encoding} depth image is {median:.4g} m: it must be in {wanted} "
        f"(REP 118) and is probably {unit}"
    )


def is_rectified(setting: str, topic: str) -> bool:
    """Return whether images are rectified.

    Args:
        setting: `cameras.rectified`: true, false, or auto, which decides by the topic's name.
        topic: full name of the image topic.
    """
    return setting == "true" or (setting == "auto" and bool(_RECTIFIED.search(topic)))


def clock_problem(stamp_s: float, now_s: float, max_age_s: float) -> str:
    """Return that image stamps are of another clock than the node's; empty if they may not be.

    Old stamps are those of a bag, and harmless unless the age of images is limited.

    Args:
        stamp_s: of the last image, seconds.
        now_s: the node's clock when it was received; 0 if that has not started.
        max_age_s: `cameras.max_image_age_s`; 0: no limit.
    """
    age_s = now_s - stamp_s
    if now_s <= 0 or (age_s >= -_MAX_AHEAD_S and not 0 < max_age_s < age_s):
        return ""
    side = "behind" if age_s > 0 else "ahead of"
    return (
        f"image stamps are {abs(age_s):.1f} s {side} the node's clock: check use_sim_time and "
        "the clock of the camera"
    )


def publishers_problem(topic: str, publishers: Sequence[str]) -> str:
    """Return that a topic has several publishers; empty if it has not.

    Args:
        topic: full name of the image topic.
        publishers: the names of their nodes.
    """
    if len(publishers) < 2:
        return ""
    return f"{topic} has {len(publishers)} publishers: {', '.join(sorted(publishers))}"
