"""The names of distortion models in camera_info, and what they mean."""

import pytest

from poseflow_ros.spatial.distortion import standard_model
from poseflow_ros.spatial.lens import Lens

FOUR, FIVE = (0.1, -0.2, 0.001, 0.002), (0.1, -0.2, 0.001, 0.002, 0.05)
EIGHT = (*FIVE, 0.3, 0.2, 0.1)

MEANINGS = [
    # name, coefficients, model, coefficients of the lens
    pytest.param("plumb_bob", FIVE, "plumb_bob", FIVE, id="plumb_bob"),
    pytest.param("plumb_bob", EIGHT, "rational_polynomial", EIGHT, id="plumb_bob of 8"),
    pytest.param("plumb_bob", (*FOUR, 0, 0), "plumb_bob", FOUR, id="plumb_bob of 6, two zeros"),
    pytest.param("rational_polynomial", FIVE, "plumb_bob", FIVE, id="rational of 5"),
    pytest.param("rational_polynomial", FOUR, "plumb_bob", FOUR, id="rational of 4"),
    pytest.param("rational_polynomial", EIGHT, "rational_polynomial", EIGHT, id="rational"),
    pytest.param(
        "rational_polynomial", (*EIGHT, 0), "rational_polynomial", EIGHT, id="rational of 9"
    ),
    pytest.param("Plumb Bob", FIVE, "plumb_bob", FIVE, id="another spelling"),
    pytest.param("radtan", FOUR, "plumb_bob", FOUR, id="radtan"),
    pytest.param("pinhole", (), "plumb_bob", (), id="pinhole"),
    pytest.param("pinhole", FIVE, "plumb_bob", FIVE, id="pinhole with distortion"),
    pytest.param("none", (), "plumb_bob", (), id="none"),
    pytest.param("None", (0, 0, 0), "plumb_bob", (), id="none with three zeros"),
    pytest.param("inverse_brown_conrady", (0,) * 5, "plumb_bob", (), id="inverse, of zeros"),
    pytest.param("", (), "plumb_bob", (), id="no name"),
    pytest.param("", (0,) * 5, "plumb_bob", (0,) * 5, id="no name, zeros"),
    pytest.param("", EIGHT, "rational_polynomial", EIGHT, id="no name, eight"),
    pytest.param("equidistant", FOUR, "equidistant", FOUR, id="equidistant"),
    pytest.param("equidistant", (*FOUR, 0), "equidistant", FOUR, id="equidistant and a zero"),
    pytest.param(
        "equidistant", (*FOUR, *(0,) * 10), "equidistant", FOUR, id="equidistant and ten zeros"
    ),
    pytest.param("fisheye", FOUR, "equidistant", FOUR, id="fisheye"),
    pytest.param("kannala_brandt4", FOUR, "equidistant", FOUR, id="kannala_brandt4"),
    pytest.param("Kannala-Brandt4", (), "equidistant", (), id="kannala_brandt4 of none"),
]


@pytest.mark.parametrize(("name", "given", "model", "coefficients"), MEANINGS)
def test_a_name_that_is_unambiguous_is_accepted(name, given, model, coefficients):
    assert standard_model(name, given) == (model, coefficients)
    found_model, found = standard_model(name, given)
    Lens(500, 500, 320, 240, found, found_model)


REFUSED = [
    pytest.param("none", FIVE, "'none' has coefficients other than 0", id="none, but distorted"),
    pytest.param("inverse_brown_conrady", FIVE, "other than 0", id="the other direction"),
    pytest.param("magic", (), "model must be one of", id="an unknown model"),
    pytest.param("double_sphere", (0.0,) * 5, "model must be one of", id="another fisheye"),
    pytest.param("plumb_bob", (0.1,), "plumb_bob has 0, 4 or 5", id="one coefficient"),
    pytest.param("rational_polynomial", (*FIVE, 0.3), "got 6", id="six that are not zero"),
    pytest.param("equidistant", FIVE, "equidistant has 0 or 4", id="five of a fisheye"),
    pytest.param("fisheye", (0.1, 0.2), "equidistant has 0 or 4", id="two of a fisheye"),
    pytest.param("plumb_bob", (float("nan"),) * 5, "must be finite", id="NaN"),
]


@pytest.mark.parametrize(("name", "given", "text"), REFUSED)
def test_what_is_ambiguous_is_refused(name, given, text):
    with pytest.raises(ValueError, match=text):
        model, coefficients = standard_model(name, given)
        Lens(500, 500, 320, 240, coefficients, model)
