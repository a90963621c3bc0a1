"""Parameters: what is refused, and in which words."""

from dataclasses import FrozenInstanceError, fields

import pytest

from poseflow_ros.config import Config, ConfigError, parameters, spec_of

REFUSED = [
    # name, value, what is allowed
    pytest.param("association", "", "one of robust, classic", id="no association"),
    pytest.param("image_transport", "theora", "one of raw, compressed", id="a transport"),
    pytest.param("image_reliability", "RELIABLE", "one of auto, reliable, best_effort", id="case"),
    pytest.param("weights", 3, "type str", id="a number for a path"),
    pytest.param("weights", None, "type str", id="None"),
    pytest.param("input_size", 500, "from 64 to 1280 in steps of 32", id="not a step"),
    pytest.param("input_size", 32, "from 64 to 1280", id="a step below the least"),
    pytest.param("input_size", 1312, "from 64 to 1280", id="a step above the greatest"),
    pytest.param("input_size", -512, "from 64 to 1280", id="negative"),
    pytest.param("input_size", 512.0, "type int", id="a float for an int"),
    pytest.param("threads", 65, "from 0 to 64", id="too many threads"),
    pytest.param("threads", True, "type int", id="a bool for an int"),
    pytest.param("threads", "4", "type int", id="a text for an int"),
    pytest.param("orb_features", -1, "from 0 to 10000", id="one below the least"),
    pytest.param("orb_features", 10001, "from 0 to 10000", id="one above the greatest"),
    pytest.param("min_pose_score", 1.01, "from 0 to 1", id="a score above 1"),
    pytest.param("min_pose_score", float("nan"), "from 0 to 1", id="NaN"),
    pytest.param("min_pose_score", False, "type float", id="a bool for a float"),
    pytest.param("mag", float("inf"), "from 1 to 1000", id="infinity"),
    pytest.param("mag", -7, "from 1 to 1000", id="an int below the least float"),
    pytest.param("mag", "30", "type float", id="a text for a float"),
    pytest.param("num", 0, "from 1 to 100", id="no keypoint"),
    pytest.param("match", -0.1, "from 0 to 6", id="a negative grade"),
    pytest.param("link_len", [100], "type int", id="a list"),
    pytest.param("publish_lost", 1, "type bool", id="an int for a bool"),
    pytest.param("publish_lost", "true", "type bool", id="a text for a bool"),
    pytest.param("marker_depth_m", 0.09, "from 0.1 to 1000", id="too near"),
    pytest.param("marker_lifetime_s", -1.0, "from 0 to 3600", id="a negative time"),
    pytest.param("min_keypoint_score", float("-inf"), "from 0 to 1", id="minus infinity"),
]


REFUSED += [
    pytest.param("device", name, "one of auto, cpu, cuda, cuda:N", id=f"the device {name!r}")
    for name in ("gpu", "", "cuda:", "cuda:N", "cuda:-1", "CPU", "cpu:0", "mps")
]


@pytest.mark.parametrize(("name", "value", "allowed"), REFUSED)
def test_a_bad_value_is_refused_in_one_line_that_names_it(name, value, allowed):
    with pytest.raises(ConfigError) as caught:
        Config.from_parameters({name: value})
    text = str(caught.value)
    assert text.startswith(f"{name} is {value!r}")
    assert ", must be " in text
    assert allowed in text
    assert len(text.splitlines()) == 1


def test_an_int_that_no_float_holds_is_refused():
    with pytest.raises(ConfigError, match=r"^mag is .*must be "):
        Config.from_parameters({"mag": 10**400})


ACCEPTED = [
    pytest.param("input_size", 64, id="the least"),
    pytest.param("input_size", 1280, id="the greatest"),
    pytest.param("threads", 0, id="zero where it is allowed"),
    pytest.param("min_pose_score", 0.0, id="the least score"),
    pytest.param("min_pose_score", 1.0, id="the greatest score"),
    pytest.param("marker_lifetime_s", 0.0, id="never"),
    pytest.param("publish_lost", True, id="a bool"),
    pytest.param("weights", "~/model.tflite", id="any text"),
    pytest.param("image_reliability", "best_effort", id="a choice"),
]


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_what_is_allowed_arrives(name, value):
    assert Config.from_parameters({name: value}).as_parameters()[name] == value


def test_an_int_is_taken_for_a_float():
    mag = Config.from_parameters({"mag": 25}).tracker.mag
    assert mag == 25.0
    assert type(mag) is float


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("linklen", "did you mean link_len?", id="a letter missing"),
        pytest.param("min_pose_scores", "did you mean min_pose_score?", id="a letter too many"),
        pytest.param("zzz", "known: estimator, weights", id="nothing alike: all are named"),
        pytest.param(1, "known: estimator", id="no text at all, as YAML can give it"),
    ],
)
def test_an_unknown_name_is_refused(name, says):
    with pytest.raises(ConfigError) as caught:
        Config.from_parameters({name: 1})
    text = str(caught.value)
    assert text.startswith(f"unknown parameter {name}; ")
    assert says in text
    assert len(text.splitlines()) == 1


def test_the_defaults_are_valid_and_arrive():
    defaults = {item.name: item.default for item in parameters()}
    assert Config.from_parameters(defaults).as_parameters() == defaults
    assert Config.from_parameters({}).as_parameters() == defaults


def test_every_value_arrives_in_its_group():
    other = {
        "weights": "m.tflite", "detectron2_config": "c.yaml", "device": "cuda:1",
        "precision": "bfloat16", "compile": True, "image_min_side": 400, "image_max_side": 700,
        "max_people": 9, "min_person_score": 0.3,
        "input_size": 256, "threads": 3, "camera_motion": False,
        "orb_features": 7, "confident_pose_score": 0.6, "max_lost_s": 3.0, "flow_window_s": 0.5,
        "publish_tentative": True,
        "min_pose_score": 0.5, "num": 3, "mag": 9.5, "match": 1.5, "link_len": 4,
        "cameras": ("front", "rear"), "image_transport": ("raw", "compressed"),
        "replay": True, "target_frame": "base_link",
        "warn_silence_s": 4.0, "error_silence_s": 5.0, "warn_latency_s": 0.1,
        "error_latency_s": 0.2, "warn_dropped": 0.3, "error_dropped": 0.4,
        "image_reliability": "reliable", "publish_lost": True,
        "max_image_age_s": 0.0, "estimator_timeout_s": 4.5, "depth_slop_s": 0.1,
        "min_keypoint_score": 0.75, "marker_depth_m": 2.5, "marker_lifetime_s": 0.25,
    }  # fmt: skip
    config = Config.from_parameters(other)
    assert config.as_parameters() == other | {"estimator": "auto", "association": "robust"}
    assert (config.estimator.threads, config.matcher.orb_features) == (3, 7)
    assert (config.tracker.link_len, config.node.publish_lost) == (4, True)


def test_a_word_alone_is_a_list_of_one():
    node = Config.from_parameters({"cameras": "front", "image_transport": "compressed"}).node
    assert (node.cameras, node.transports) == (("front",), {"front": "compressed"})


def test_one_transport_is_every_cameras():
    node = Config.from_parameters({"cameras": ["a", "b"]}).node
    assert node.transports == {"a": "raw", "b": "raw"}


IMPOSSIBLE = [
    pytest.param({"cameras": ["a", "a"]}, "must be names that differ", id="a name twice"),
    pytest.param({"cameras": ["a", ""]}, "'' is no name: letters", id="no name among names"),
    pytest.param({"cameras": ["a/b"]}, "'a/b' is no name: letters", id="a name of two parts"),
    pytest.param({"cameras": ["2nd"]}, "'2nd' is no name: letters", id="a digit at first"),
    pytest.param({"cameras": []}, "must be a list of at least one str", id="no camera"),
    pytest.param({"cameras": [1]}, "must be a list of at least one str", id="numbers"),
    pytest.param(
        {"cameras": ["a", "b", "c"], "image_transport": ["raw", "raw"]},
        "must be one for all cameras or one for each of ['a', 'b', 'c']", id="two for three",
    ),
    pytest.param(
        {"replay": True, "max_image_age_s": 1.0}, "must be 0 where replay is true", id="too old",
    ),
    pytest.param(
        {"replay": True, "image_reliability": "best_effort"}, "best effort loses", id="lossy",
    ),
    pytest.param(
        {"warn_silence_s": 11.0}, "warn_silence_s is 11, must be no more than error_silence_s, 10",
        id="an error before its warning",
    ),
    pytest.param(
        {"error_latency_s": 0.1}, "warn_latency_s is 0.5, must be no more", id="likewise, of time",
    ),
    pytest.param(
        {"warn_dropped": 0.9, "error_dropped": 0.8}, "must be no more", id="likewise, of shares",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("values", "said"), IMPOSSIBLE)
def test_what_cannot_be_together_is_refused_in_one_line(values, said):
    with pytest.raises(ConfigError) as caught:
        Config.from_parameters(values)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_no_two_groups_share_a_name():
    names = [item.name for item in parameters()]
    assert len(set(names)) == len(names)
    assert names == [item.name for group in fields(Config)
                     for item in fields(group.default_factory)]  # fmt: skip


@pytest.mark.parametrize("item", parameters(), ids=lambda item: item.name)
def test_every_parameter_says_what_it_is_in_one_line(item):
    spec = spec_of(item)
    assert spec.description
    assert len(spec.description.splitlines()) == 1
    if type(item.default) in (int, float):
        assert spec.minimum < spec.maximum


def test_a_configuration_does_not_change():
    with pytest.raises(FrozenInstanceError):
        Config().tracker.mag = 1.0
