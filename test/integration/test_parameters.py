"""Parameters while the node is active: live ones, rejected ones, and image age."""

import numpy as np
import pytest
from poseflow_msgs.msg import TrackedPose, TrackedPoseArray
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.parameter import Parameter
from ros_driver import stamped
from visualization_msgs.msg import Marker, MarkerArray

from poseflow_ros.config import Config
from poseflow_ros.parameter_group import parameters

BLANK = np.zeros((120, 160, 3), np.uint8)
POSES = "/poseflow/tracked_poses"
LIVE = [parameter.name for parameter in parameters(Config) if parameter.spec.live]
FIXED = [parameter.name for parameter in parameters(Config) if not parameter.spec.live]


def messages(values) -> list[ParameterMessage]:
    return [
        Parameter(name.replace("__", "."), value=value).to_parameter_msg()
        for name, value in values.items()
    ]


def set_each(driver, **values):
    """Set one after the other; return the answers."""
    name = "/poseflow/set_parameters"
    return driver.call(SetParameters, name, parameters=messages(values)).results


def set_all(driver, **values):
    """Set all or nothing; return the answer."""
    name = "/poseflow/set_parameters_atomically"
    return driver.call(SetParametersAtomically, name, parameters=messages(values)).result


def get(driver, name):
    value = driver.call(GetParameters, "/poseflow/get_parameters", names=[name]).values[0]
    return Parameter.from_parameter_msg(ParameterMessage(name=name, value=value)).value


class Camera:
    """Shows images a tenth of a second apart, each after the answer to the one before."""

    def __init__(self, driver, start_s=1.0):
        self.driver, self.stamp_s = driver, start_s
        self.heard = driver.listen(TrackedPoseArray, POSES)
        self.publisher = driver.camera()

    def show(self, image):
        """Return the answer to an image."""
        before = len(self.heard)
        self.publisher.publish(stamped(image, self.stamp_s))
        self.stamp_s += 0.1
        self.driver.until(lambda: len(self.heard) > before, "an answer")
        return self.heard[-1].poses


def test_changed_threshold_applies_from_the_next_image(driver, active_node, pedestrians):
    active_node(movenet__input_size=512, tracker__association="classic")
    camera = Camera(driver)
    assert camera.show(pedestrians[0])
    assert set_each(driver, tracker__min_pose_score=1.0)[0].successful
    assert not camera.show(pedestrians[1])
    assert set_each(driver, tracker__min_pose_score=0.25)[0].successful
    assert camera.show(pedestrians[2])


def test_tracks_survive_a_parameter_change(driver, active_node, pedestrians):
    active_node(
        movenet__input_size=512, tracker__association="classic", tracker__publish_lost=True
    )
    camera = Camera(driver)
    before = {pose.track_id for pose in camera.show(pedestrians[0])}
    assert set_each(driver, classic__link_len=50, classic__match=0.3, classic__num=5)[0].successful
    after = {pose.track_id for pose in camera.show(pedestrians[1])}
    assert before & after == before


def test_max_lost_s_can_be_reduced_while_active(driver, active_node, pedestrians):
    active_node(
        movenet__input_size=512, tracker__association="classic", tracker__publish_lost=True
    )
    camera = Camera(driver)
    seen = camera.show(pedestrians[0])
    lost = camera.show(np.zeros_like(pedestrians[0]))
    assert {pose.state for pose in lost} == {TrackedPose.STATE_LOST}
    assert set_each(driver, classic__link_len=1)[0].successful
    gone = camera.show(np.zeros_like(pedestrians[0]))
    assert [pose.state for pose in gone] == [TrackedPose.STATE_REMOVED] * len(seen)


def test_marker_parameters_can_be_changed_while_active(driver, active_node, pedestrians):
    active_node(movenet__input_size=512, tracker__association="classic")
    heard = driver.listen(MarkerArray, "/poseflow/markers")
    camera = Camera(driver)

    def distance():
        heard.clear()
        camera.show(pedestrians[0])
        driver.until(lambda: heard, "markers")
        joints = [m for m in heard[-1].markers if m.type == Marker.SPHERE_LIST]
        return {point.z for marker in joints for point in marker.points}

    driver.until(lambda: distance() == {3.0}, "markers at the default distance")
    assert set_each(driver, markers__depth_m=7.0)[0].successful
    assert distance() == {7.0}


@pytest.mark.parametrize("name", FIXED)
def test_fixed_parameters_are_rejected_while_active(name, driver, active_node):
    active_node()
    before = get(driver, name)
    (answer,) = set_each(driver, **{name: before})
    assert not answer.successful
    assert answer.reason == f"{name}: read when the node is configured; clean up first"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(
            {"classic.match": 7.0}, "classic.match is 7.0, must be from 0 to 6", id="out of range"
        ),
        pytest.param(
            {"classic.match": "x"},
            "classic.match is 'x', must be of type float",
            id="a wrong type",
        ),
        pytest.param(
            {"estimator.threads": 1},
            "estimator.threads: read when the node is configured",
            id="not live",
        ),
    ],
)
def test_atomic_set_with_one_invalid_value_is_rejected(bad, reason, driver, active_node):
    node = active_node()
    before = node.config
    answer = set_all(driver, classic__num=3, **bad)
    assert not answer.successful
    assert answer.reason.startswith(reason)
    assert get(driver, "classic.num") == 7
    assert node.config == before


def test_values_set_while_active_are_kept_by_the_next_configure(driver, active_node):
    node = active_node()
    assert set_all(driver, classic__num=3, tracker__max_lost_s=5.0).successful
    for transition in ("deactivate", "cleanup", "configure"):
        assert driver.change(transition)
    assert (node.config.classic.num, node.config.tracker.max_lost_s) == (3, 5.0)


def test_descriptions_state_whether_a_parameter_is_live(driver, start_node):
    start_node()
    name = "/poseflow/describe_parameters"
    for names, words in (
        (LIVE, "may be changed while active"),
        (FIXED, "read when the node is configured"),
    ):
        for descriptor in driver.call(DescribeParameters, name, names=names).descriptors:
            assert words in descriptor.description


def test_unknown_parameter_is_reported_with_the_closest_name(start_node, capfd):
    start_node(max_lost_s=3.0, tracker__max_lots_s=3.0, use_sim_time=False)
    lines = [x for x in capfd.readouterr().err.splitlines() if "unknown parameter" in x]
    assert len(lines) == 2
    assert "unknown parameter max_lost_s; did you mean tracker.max_lost_s?" in lines[0]
    assert "unknown parameter tracker.max_lots_s; did you mean tracker.max_lost_s?" in lines[1]


def test_the_configuration_file_of_the_package_has_no_unknown_parameter(start_node, capfd):
    start_node(**{parameter.name: parameter.default for parameter in parameters(Config)})
    assert "unknown parameter" not in capfd.readouterr().err


def test_image_older_than_max_image_age_is_dropped(driver, active_node):
    node = active_node(cameras__max_image_age_s=5.0)
    heard = driver.listen(TrackedPoseArray, POSES)
    publisher = driver.camera()
    now_s = 1e-9 * node.get_clock().now().nanoseconds
    publisher.publish(stamped(BLANK, now_s - 6.0))
    driver.until(
        lambda: node.cameras[""].statistics.values().get("dropped: too old") == "1",
        "the old image's end",
    )
    publisher.publish(stamped(BLANK, 1e-9 * node.get_clock().now().nanoseconds))
    driver.until(lambda: heard, "an answer to the new one")
    assert [array.dropped_since_last for array in heard] == [1]
    assert set_each(driver, cameras__max_image_age_s=0.0)[0].successful
    publisher.publish(stamped(BLANK, now_s - 6.0))
    driver.until(lambda: len(heard) == 2, "an answer where none is too old")
