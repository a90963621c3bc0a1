"""Where labels are drawn: inside the image, beside the faces and beside each other.

Rectangles are pixels (x1, y1, x2, y2), all included.
"""

import numpy as np

from poseflow_ros.poses import IntArray


def place_label(
    size: tuple[int, int], box: IntArray, image_size: tuple[int, int], occupied: IntArray
) -> IntArray:
    """Return where the label of a box covers the least of what is occupied, inside the image.

    Args:
        size: width and height of the label.
        box: (4,) the person's.
        image_size: width and height of the image.
        occupied: (M, 4) faces and the labels already placed.

    Returns:
        (4,) the rectangle of the label.
    """
    corners = np.clip(_corners(size, box), 0, np.maximum(np.subtract(image_size, size), 0))
    places = np.hstack([corners, corners + size - 1])
    return places[overlaps(places, occupied).sum(axis=1).argmin()]


def _corners(size: tuple[int, int], box: IntArray) -> IntArray:
    """Return the upper left corners (P, 2) of the places beside a box, the preferred one first."""
    width, height = size
    x1, y1, x2, y2 = box.tolist()
    right, bottom = x2 - width + 1, y2 - height + 1
    above_and_below = [(x1, y1 - height), (right, y1 - height), (x1, y2 + 1), (right, y2 + 1)]
    beside = [(x1 - width, y1), (x2 + 1, y1), (x1 - width, bottom), (x2 + 1, bottom)]
    # A person who fills the image has room at the feet.
    inside = [(x1, bottom), (right, bottom)]
    return np.array(above_and_below + beside + inside)


def overlaps(rectangles: IntArray, others: IntArray) -> IntArray:
    """Return the number of pixels (P, M) that rectangles (P, 4) share with others (M, 4)."""
    low = np.maximum(rectangles[:, None, :2], others[:, :2])
    high = np.minimum(rectangles[:, None, 2:], others[:, 2:])
    return np.maximum(high - low + 1, 0).prod(axis=2)
