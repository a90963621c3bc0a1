"""Distortion models by the names that camera drivers give them."""

import re
from collections.abc import Sequence

# OpenCV's distortion for pinhole cameras: k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [tx ty]]]]. The
# number of coefficients decides; a driver's name for it is often that of a longer or shorter one.
_RADIAL_TANGENTIAL = {
    "", "plumb_bob", "rational_polynomial", "pinhole", "radtan", "radial_tangential",
    "brown_conrady", "thin_prism", "opencv",
}  # fmt: skip
_LENGTHS = (0, 4, 5, 8, 12, 14)
_LONGEST_PLUMB_BOB = 5
# OpenCV's fisheye model (Kannala and Brandt): k1 k2 k3 k4.
_EQUIDISTANT = {"equidistant", "fisheye", "kannala_brandt", "kannala_brandt4", "opencv_fisheye"}
_N_EQUIDISTANT = 4
# Harmless without coefficients. The last two map in the other direction, or by other formulas.
_UNDISTORTED = {
    "none", "no_distortion", "undistorted", "rectilinear", "inverse_brown_conrady",
    "modified_brown_conrady",
}  # fmt: skip


def standard_model(name: str, coefficients: Sequence[float]) -> tuple[str, tuple[float, ...]]:
    """Return the model and coefficients of `Lens` that a driver's camera_info means.

    Trailing zeros beyond the length of a model are left out. What is ambiguous is returned as
    given, for `Lens` to refuse.

    Args:
        name: distortion_model of sensor_msgs/CameraInfo, in any case, with spaces or hyphens.
        coefficients: its D.

    Raises:
        ValueError: a model without distortion has coefficients other than 0.
    """
    word = re.sub(r"[\s-]+", "_", name.strip().lower())
    given = tuple(float(value) for value in coefficients)
    n_kept = max((i + 1 for i, value in enumerate(given) if value != 0), default=0)
    if word in _UNDISTORTED:
        if n_kept:
            raise ValueError(f"distortion model {name!r} has coefficients other than 0: {given}")
        return "plumb_bob", ()
    if word in _EQUIDISTANT:
        too_long = n_kept <= _N_EQUIDISTANT < len(given)
        return "equidistant", given[:_N_EQUIDISTANT] if too_long else given
    if word not in _RADIAL_TANGENTIAL:
        return name, given
    return _radial_tangential(word, given, n_kept)


def _radial_tangential(
    word: str, given: tuple[float, ...], n_kept: int
) -> tuple[str, tuple[float, ...]]:
    """Return the model for this number of coefficients, of which `n_kept` may not be 0."""
    fitting = [n for n in _LENGTHS if n_kept <= n <= len(given)]
    if len(given) not in _LENGTHS and not fitting:
        return ("rational_polynomial" if word == "rational_polynomial" else "plumb_bob"), given
    n = len(given) if len(given) in _LENGTHS else fitting[0]
    return ("plumb_bob" if n <= _LONGEST_PLUMB_BOB else "rational_polynomial"), given[:n]
