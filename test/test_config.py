"""Validation of parameters and its messages."""

from array import array
from dataclasses import FrozenInstanceError, fields

import pytest

from poseflow_ros.action_config import ActionConfig, WindowsConfig
from poseflow_ros.config import Config
from poseflow_ros.parameter_group import ConfigError, parameters

REFUSED = [
    # name, value, what is allowed
    pytest.param("tracker.association", "", "one of robust, classic", id="no association"),
    pytest.param("cameras.image_transport", "theora", "one of raw, compressed", id="a transport"),
    pytest.param(
        "cameras.reliability", "RELIABLE", "one of auto, reliable, best_effort", id="case"
    ),
    pytest.param("estimator.weights", 3, "type str", id="a number for a path"),
    pytest.param("estimator.weights", None, "type str", id="None"),
    pytest.param("movenet.input_size", 500, "from 64 to 1280 in steps of 32", id="not a step"),
    pytest.param("movenet.input_size", 32, "from 64 to 1280", id="a step below the least"),
    pytest.param("movenet.input_size", 1312, "from 64 to 1280", id="a step above the greatest"),
    pytest.param("movenet.input_size", -512, "from 64 to 1280", id="negative"),
    pytest.param("movenet.input_size", 512.0, "type int", id="a float for an int"),
    pytest.param("movenet.tiles", "4 x 3", "one of auto, CxR", id="tiles with spaces"),
    pytest.param("movenet.tiles", "0x1", "one of auto, CxR", id="no column"),
    pytest.param("movenet.tiles", [4, 3], "type str", id="tiles as a list"),
    pytest.param("estimator.threads", 65, "from 0 to 64", id="too many threads"),
    pytest.param("estimator.threads", True, "type int", id="a bool for an int"),
    pytest.param("estimator.threads", "4", "type int", id="a text for an int"),
    pytest.param("classic.orb_features", -1, "from 0 to 10000", id="one below the least"),
    pytest.param("classic.orb_features", 10001, "from 0 to 10000", id="one above the greatest"),
    pytest.param("tracker.min_pose_score", 1.01, "from 0 to 1", id="a score above 1"),
    pytest.param("tracker.min_pose_score", float("nan"), "from 0 to 1", id="NaN"),
    pytest.param("tracker.min_pose_score", False, "type float", id="a bool for a float"),
    pytest.param("classic.mag", float("inf"), "from 1 to 1000", id="infinity"),
    pytest.param("classic.mag", -7, "from 1 to 1000", id="an int below the least float"),
    pytest.param("classic.mag", "30", "type float", id="a text for a float"),
    pytest.param("classic.num", 0, "from 1 to 100", id="no keypoint"),
    pytest.param("classic.match", -0.1, "from 0 to 6", id="a negative grade"),
    pytest.param("classic.link_len", [100], "type int", id="a list"),
    pytest.param("tracker.publish_lost", 1, "type bool", id="an int for a bool"),
    pytest.param("tracker.publish_lost", "true", "type bool", id="a text for a bool"),
    pytest.param("markers.depth_m", 0.09, "from 0.1 to 1000", id="too near"),
    pytest.param("markers.lifetime_s", -1.0, "from 0 to 3600", id="a negative time"),
    pytest.param("markers.min_keypoint_score", float("-inf"), "from 0 to 1", id="minus infinity"),
    pytest.param("cameras.rotate", 45, "one of 0, 90, 180, 270", id="half a quarter turn"),
    pytest.param("cameras.rotate", "90", "list of at least one int", id="a text for degrees"),
    pytest.param("cameras.rectified", "yes", "one of auto, true, false", id="another word"),
    pytest.param("cameras.mono16_range", [0, 65536], "from 0 to 65535", id="17 bits"),
    pytest.param("depth.wait_s", 11.0, "from 0 to 10", id="a long wait"),
]


REFUSED += [
    pytest.param(
        "estimator.device", name, "one of auto, cpu, cuda, cuda:N", id=f"the device {name!r}"
    )
    for name in ("gpu", "", "cuda:", "cuda:N", "cuda:-1", "CPU", "cpu:0", "mps")
]


@pytest.mark.parametrize(("name", "value", "allowed"), REFUSED)
def test_invalid_value_is_rejected_in_one_line_with_the_name(name, value, allowed):
    with pytest.raises(ConfigError) as caught:
        Config.from_parameters({name: value})
    text = str(caught.value)
    assert text.startswith(f"{name} is {value!r}")
    assert ", must be " in text
    assert allowed in text
    assert len(text.splitlines()) == 1


def test_int_beyond_the_range_of_float_is_rejected():
    with pytest.raises(ConfigError, match=r"^classic.mag is .*must be "):
        Config.from_parameters({"classic.mag": 10**400})


ACCEPTED = [
    pytest.param("movenet.input_size", 64, id="the least"),
    pytest.param("movenet.input_size", 1280, id="the greatest"),
    pytest.param("estimator.threads", 0, id="zero where it is allowed"),
    pytest.param("tracker.min_pose_score", 0.0, id="the least score"),
    pytest.param("tracker.min_pose_score", 1.0, id="the greatest score"),
    pytest.param("markers.lifetime_s", 0.0, id="never"),
    pytest.param("tracker.publish_lost", True, id="a bool"),
    pytest.param("estimator.weights", "~/model.tflite", id="any text"),
    pytest.param("cameras.reliability", "best_effort", id="a choice"),
]


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_allowed_values_are_accepted(name, value):
    assert Config.from_parameters({name: value}).as_parameters()[name] == value


def test_int_is_converted_to_float():
    mag = Config.from_parameters({"classic.mag": 25}).classic.mag
    assert mag == 25.0
    assert type(mag) is float


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("classic.linklen", "did you mean classic.link_len?", id="a letter missing"),
        pytest.param(
            "tracker.min_pose_scores", "did you mean tracker.min_pose_score?", id="one more"
        ),
        pytest.param("max_lost_s", "did you mean tracker.max_lost_s?", id="the group is missing"),
        pytest.param(
            "num", "did you mean classic.num?", id="the group of a short name is missing"
        ),
        pytest.param("node.max_lost_s", "did you mean tracker.max_lost_s?", id="another group"),
        pytest.param("estimator", "did you mean estimator.name?", id="the group alone"),
        pytest.param("zzz", "known: estimator.name, estimator.weights", id="no similar name"),
        pytest.param(1, "known: estimator.name", id="a number, as YAML can give it"),
    ],
)
def test_unknown_name_is_rejected(name, says):
    with pytest.raises(ConfigError) as caught:
        Config.from_parameters({name: 1})
    text = str(caught.value)
    assert text.startswith(f"unknown parameter {name}; ")
    assert says in text
    assert len(text.splitlines()) == 1


def test_defaults_are_valid_and_used():
    defaults = {parameter.name: parameter.default for parameter in parameters(Config)}
    assert Config.from_parameters(defaults).as_parameters() == defaults
    assert Config.from_parameters({}).as_parameters() == defaults


def test_each_value_is_set_in_its_group():
    other = {
        "estimator.weights": "m.tflite",
        "estimator.detectron2_config": "c.yaml",
        "estimator.device": "cuda:1",
        "estimator.precision": "bfloat16",
        "estimator.compile": True,
        "estimator.detector_weights": "d.onnx",
        "estimator.onnx_input_size": 320,
        "estimator.cuda_graphs": "false",
        "estimator.image_min_side": 400,
        "estimator.image_max_side": 700,
        "estimator.max_people": 9,
        "estimator.min_person_score": 0.3,
        "movenet.input_size": 256,
        "estimator.threads": 3,
        "tracker.camera_motion": False,
        "classic.orb_features": 7,
        "movenet.tiles": "5x4",
        "movenet.tile_size": 320,
        "movenet.search_passes": 3,
        "movenet.max_passes": 9,
        "movenet.keep_up": False,
        "tracker.confident_pose_score": 0.6,
        "tracker.max_lost_s": 3.0,
        "tracker.flow_window_s": 0.5,
        "tracker.publish_tentative": True,
        "tracker.min_pose_score": 0.5,
        "classic.num": 3,
        "classic.mag": 9.5,
        "classic.match": 1.5,
        "classic.link_len": 4,
        "cameras.names": ("front", "rear"),
        "cameras.image_transport": ("raw", "compressed"),
        "cameras.replay": True,
        "cameras.rectified": ("true", "false"),
        "cameras.rotate": (90, 180),
        "cameras.mono16_range": (0, 1023),
        "cameras.max_backward_s": 0.5,
        "depth.image_transport": ("compressed", "raw"),
        "depth.wait_s": 0.1,
        "depth.max_m": 9.0,
        "depth.check_frames": False,
        "depth.target_frame": "base_link",
        "diagnostics.warn_silence_s": 4.0,
        "diagnostics.error_silence_s": 5.0,
        "diagnostics.warn_latency_s": 0.1,
        "diagnostics.error_latency_s": 0.2,
        "diagnostics.warn_dropped": 0.3,
        "diagnostics.error_dropped": 0.4,
        "cameras.reliability": "reliable",
        "tracker.publish_lost": True,
        "cameras.max_image_age_s": 0.0,
        "estimator.timeout_s": 4.5,
        "depth.slop_s": 0.1,
        "markers.min_keypoint_score": 0.75,
        "markers.depth_m": 2.5,
        "markers.lifetime_s": 0.25,
        "markers.behaviors": True,
    }
    config = Config.from_parameters(other)
    assert config.as_parameters() == other | {
        "estimator.name": "auto",
        "tracker.association": "robust",
    }
    assert (config.estimator.threads, config.classic.orb_features) == (3, 7)
    assert (config.classic.link_len, config.tracker.publish_lost) == (4, True)


def test_single_string_is_a_list_of_one():
    values = {"cameras.names": "front", "cameras.image_transport": "compressed"}
    cameras = Config.from_parameters(values).cameras
    assert (cameras.names, cameras.of("front", cameras.image_transport)) == (
        ("front",),
        "compressed",
    )


def test_one_value_applies_to_every_camera_and_a_list_has_one_for_each():
    values = {"cameras.names": ["a", "b"], "cameras.rotate": [90, 270]}
    cameras = Config.from_parameters(values).cameras
    assert [cameras.of(name, cameras.image_transport) for name in "ab"] == ["raw", "raw"]
    assert [cameras.of(name, cameras.rotate) for name in "ab"] == [90, 270]


@pytest.mark.parametrize("value", [True, "true", ["true"], [True]])
def test_rectified_is_a_word_or_a_boolean_of_yaml(value):
    cameras = Config.from_parameters({"cameras.rectified": value}).cameras
    assert cameras.rectified == ("true",)


def test_integers_as_ros_passes_them_are_a_list():
    assert Config.from_parameters({"cameras.rotate": array("q", [180])}).cameras.rotate == (180,)


IMPOSSIBLE = [
    pytest.param(
        {"cameras.names": ["a", "a"]}, "must not contain a name twice", id="a name twice"
    ),
    pytest.param(
        {"cameras.names": ["a", ""]}, "'' is not a valid name: letters", id="no name among names"
    ),
    pytest.param(
        {"cameras.names": ["a/b"]}, "'a/b' is not a valid name: letters", id="a name of two parts"
    ),
    pytest.param(
        {"cameras.names": ["2nd"]}, "'2nd' is not a valid name: letters", id="a digit at first"
    ),
    pytest.param({"cameras.names": []}, "must be a list of at least one str", id="no camera"),
    pytest.param({"cameras.names": [1]}, "must be a list of at least one str", id="numbers"),
    pytest.param(
        {"cameras.names": ["a", "b", "c"], "cameras.image_transport": ["raw", "raw"]},
        "must be one for all cameras or one for each of ['a', 'b', 'c']",
        id="two for three",
    ),
    pytest.param(
        {"cameras.names": ["a", "b", "c"], "cameras.rotate": [0, 90]},
        "cameras.rotate is [0, 90], must be one for all cameras",
        id="two rotations for three",
    ),
    pytest.param(
        {"cameras.names": ["a", "b", "c"], "depth.image_transport": ["raw", "compressed"]},
        "depth.image_transport is ['raw', 'compressed'], must be one for all cameras",
        id="two transports of depth for three",
    ),
    pytest.param(
        {"cameras.mono16_range": [1023, 0]},
        "cameras.mono16_range is [1023, 0], must be two values",
        id="white below black",
    ),
    pytest.param(
        {"cameras.mono16_range": [1023]}, "must be two values", id="a range of one value"
    ),
    pytest.param(
        {"cameras.replay": True, "cameras.max_image_age_s": 1.0},
        "must be 0 if cameras.replay is true",
        id="too old",
    ),
    pytest.param(
        {"cameras.replay": True, "cameras.reliability": "best_effort"},
        "best effort loses",
        id="lossy",
    ),
    pytest.param(
        {"diagnostics.warn_silence_s": 11.0},
        "diagnostics.warn_silence_s is 11, must not exceed diagnostics.error_silence_s, 10",
        id="an error before its warning",
    ),
    pytest.param(
        {"diagnostics.error_latency_s": 0.1},
        "diagnostics.warn_latency_s is 0.5, must not exceed",
        id="likewise, of time",
    ),
    pytest.param(
        {"diagnostics.warn_dropped": 0.9, "diagnostics.error_dropped": 0.8},
        "must not exceed",
        id="likewise, of shares",
    ),
]


@pytest.mark.parametrize(("values", "said"), IMPOSSIBLE)
def test_contradicting_values_are_rejected_in_one_line(values, said):
    with pytest.raises(ConfigError) as caught:
        Config.from_parameters(values)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_prefix_of_a_group_equals_its_field_name():
    groups = {item.name: item.default_factory for item in fields(Config)}
    assert {name: group.prefix for name, group in groups.items()} == {
        name: name for name in groups
    }
    names = [parameter.name for parameter in parameters(Config)]
    assert names == [f"{name}.{item.name}" for name in groups for item in fields(groups[name])]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("parameter", parameters(Config), ids=lambda parameter: parameter.name)
def test_every_parameter_has_a_description_of_one_line(parameter):
    spec = parameter.spec
    assert spec.description
    assert len(spec.description.splitlines()) == 1
    if type(parameter.default) in (int, float):
        assert spec.minimum < spec.maximum


def test_configuration_is_immutable():
    with pytest.raises(FrozenInstanceError):
        Config().classic.mag = 1.0


def test_the_action_node_has_parameters_of_its_own():
    config = ActionConfig.from_parameters({"windows.rate_hz": 15, "classifier.top": 1})
    assert (config.windows.rate_hz, config.classifier.top) == (15.0, 1)
    assert ActionConfig.from_parameters(config.as_parameters()) == config
    assert config.as_parameters().keys() == {p.name for p in parameters(ActionConfig)}
    with pytest.raises(ConfigError, match=r"unknown parameter tracker\.max_lost_s; "):
        ActionConfig.from_parameters({"tracker.max_lost_s": 1.0})


@pytest.mark.parametrize(
    ("duration_s", "rate_hz", "stride_s", "frames"),
    [(3.0, 30.0, 0.5, (90, 15)), (0.1, 1.0, 0.0, (1, 1)), (2.0, 15.0, 0.1, (30, 2))],
)
def test_windows_are_whole_samples(duration_s, rate_hz, stride_s, frames):
    config = WindowsConfig(duration_s=duration_s, rate_hz=rate_hz, stride_s=stride_s)
    assert (config.n_frames, config.stride) == frames
