"""Where labels are drawn: inside the image, beside the faces and beside each other."""

from collections.abc import Sequence
from typing import NamedTuple


class Rectangle(NamedTuple):
    """Pixels from (x1, y1) to (x2, y2), both included."""

    x1: int
    y1: int
    x2: int
    y2: int

    def overlap(self, other: "Rectangle") -> int:
        """Return the number of pixels that both have."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1) + 1
        height = min(self.y2, other.y2) - max(self.y1, other.y1) + 1
        return max(0, width) * max(0, height)


def place_label(
    size: tuple[int, int], box: Rectangle, image: Rectangle, occupied: Sequence[Rectangle]
) -> Rectangle:
    """Return where the label of a box covers the least of what is occupied, inside the image.

    Args:
        size: width and height of the label, at most those of the image.
        box: the person's.
        image: all of it.
        occupied: faces and the labels already placed.
    """
    places = (_moved_inside(place, image) for place in _places(size, box))
    return min(places, key=lambda place: sum(place.overlap(other) for other in occupied))


def _places(size: tuple[int, int], box: Rectangle) -> list[Rectangle]:
    """Return the places beside a box, the preferred one first."""
    width, height = size
    left, right = box.x1, box.x2 - width + 1
    above, below = box.y1 - height, box.y2 + 1
    corners = [(left, above), (right, above), (left, below), (right, below)]
    sides = [(x, y) for y in (box.y1, box.y2 - height + 1) for x in (box.x1 - width, box.x2 + 1)]
    # A person who fills the image has room at the feet.
    inside = [(left, box.y2 - height + 1), (right, box.y2 - height + 1)]
    return [Rectangle(x, y, x + width - 1, y + height - 1) for x, y in corners + sides + inside]


def _moved_inside(place: Rectangle, image: Rectangle) -> Rectangle:
    dx = max(image.x1 - place.x1, 0) + min(image.x2 - place.x2, 0)
    dy = max(image.y1 - place.y1, 0) + min(image.y2 - place.y2, 0)
    return Rectangle(place.x1 + dx, place.y1 + dy, place.x2 + dx, place.y2 + dy)
