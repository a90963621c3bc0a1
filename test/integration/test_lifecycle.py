"""The lifecycle of the node: transitions, failures, and released resources."""

import gc
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from ament_index_python.packages import get_package_prefix
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from poseflow_msgs.msg import TrackedPoseArray
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, SetParameters
from ros_driver import PATIENCE_S, TRANSITIONS, stamped
from visualization_msgs.msg import Marker, MarkerArray

from poseflow_ros.config import Config
from poseflow_ros.ros.action_node import ActionNode
from poseflow_ros.ros.bridge_node import BridgeNode
from poseflow_ros.ros.node import PoseFlowNode

BLANK = np.zeros((120, 160, 3), np.uint8)


def set_integer(driver, name, value):
    parameter = ParameterMessage(
        name=name,
        value=ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=value),
    )
    answer = driver.call(SetParameters, "/poseflow/set_parameters", parameters=[parameter])
    return answer.results[0]


def test_node_passes_through_every_lifecycle_state(driver, start_node):
    start_node(movenet__input_size=256)
    assert driver.state() == "unconfigured"
    for transition, state in (
        ("configure", "inactive"),
        ("activate", "active"),
        ("deactivate", "inactive"),
        ("activate", "active"),
        ("deactivate", "inactive"),
        ("cleanup", "unconfigured"),
        ("configure", "inactive"),
        ("activate", "active"),
        ("shutdown active", "finalized"),
    ):
        assert driver.change(transition), transition
        assert driver.state() == state


@pytest.mark.parametrize("node_class", [PoseFlowNode, ActionNode, BridgeNode])
def test_a_destroyed_node_leaves_the_graph(driver, node_class):
    node = node_class(context=driver.context)
    name = node.get_name()
    assert name in driver.node.get_node_names()
    node.destroy_node()
    assert name not in driver.node.get_node_names()


@pytest.mark.parametrize(
    ("before", "illegal"),
    [
        pytest.param([], "activate", id="activate before configure"),
        pytest.param(["configure"], "configure", id="configure twice"),
        pytest.param(["configure", "activate"], "cleanup", id="cleanup while active"),
        pytest.param([], 200, id="no such transition"),
    ],
)
def test_illegal_transition_is_rejected_and_the_node_survives(
    driver, start_node, before, illegal, capfd
):
    start_node(movenet__input_size=256)
    assert all(driver.change(transition) for transition in before)
    state = driver.state()
    assert not driver.change(illegal)
    assert driver.state() == state
    assert f"is not possible when {state}" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (
            {"movenet.input_size": 100},
            "movenet.input_size is 100, must be from 64 to 1280 in steps of 32",
        ),
        ({"movenet.input_size": "large"}, "movenet.input_size is 'large', must be of type int"),
        ({"tracker.min_pose_score": 1.5}, "tracker.min_pose_score is 1.5, must be from 0 to 1"),
        (
            {"tracker.association": "best"},
            "tracker.association is 'best', must be one of robust, classic",
        ),
        ({"estimator.name": "openpose"}, "estimator.name is 'openpose', must be one of auto,"),
        (
            {"estimator.weights": "/nowhere.tflite"},
            "estimator.weights is '/nowhere.tflite', which is not a file",
        ),
        ({"estimator.weights": __file__}, f"weights {__file__} are not a LiteRT model"),
    ],
)
def test_invalid_parameter_fails_configure_with_one_line(
    driver, start_node, parameters, said, capfd
):
    start_node(**parameters)
    assert not driver.change("configure")
    assert driver.state() == "unconfigured"
    lines = [line for line in capfd.readouterr().err.splitlines() if "cannot configure" in line]
    assert len(lines) == 1
    assert said in lines[0]


def test_missing_model_fails_configure_with_one_line(
    driver, start_node, tmp_path, monkeypatch, capfd
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    start_node()
    assert not driver.change("configure")
    assert driver.state() == "unconfigured"
    (line,) = [x for x in capfd.readouterr().err.splitlines() if "cannot configure" in x]
    assert (
        "estimator.weights is default" in line
        and str(tmp_path) in line
        and "weights fetch" in line
    )


def test_configure_succeeds_after_an_invalid_parameter_is_corrected(driver, start_node):
    start_node(movenet__input_size=100, estimator__threads=-1)
    assert not driver.change("configure")
    refused = set_integer(driver, "movenet.input_size", 65)
    assert not refused.successful
    assert refused.reason == "movenet.input_size is 65, must be from 64 to 1280 in steps of 32"
    assert set_integer(driver, "movenet.input_size", 256).successful
    assert set_integer(driver, "estimator.threads", 1).successful
    assert driver.change("configure")
    late = set_integer(driver, "movenet.input_size", 128)
    assert not late.successful
    assert "clean up first" in late.reason


def test_every_parameter_is_described(driver, start_node):
    start_node()
    names = list(Config().as_parameters())
    answer = driver.call(DescribeParameters, "/poseflow/describe_parameters", names=names)
    assert [d.name for d in answer.descriptors] == names
    assert all(d.description for d in answer.descriptors)
    by_name = {d.name: d.additional_constraints for d in answer.descriptors}
    assert by_name["classic.num"] == "must be from 1 to 100"


def test_epochs_grow_over_activations_and_configurations(driver, active_node):
    active_node()
    heard = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses")
    epochs = []
    for again in (["deactivate", "activate"], ["deactivate", "cleanup", "configure", "activate"]):
        camera = driver.camera()
        heard.clear()
        stamp_s = 1.0
        while not heard:
            camera.publish(stamped(BLANK, stamp_s))
            stamp_s += 0.1
            driver.spin(0.1)
        epochs.append(heard[0].epoch)
        assert all(driver.change(transition) for transition in again)
        driver.node.destroy_publisher(camera)
    assert epochs == [1, 2]


def used():
    """Return this process's numbers of threads and open files."""
    gc.collect()
    return tuple(sum(1 for _ in Path("/proc/self", kind).iterdir()) for kind in ("task", "fd"))


@pytest.mark.slow
def test_fifty_cycles_leak_nothing(driver, start_node):
    start_node(movenet__input_size=64)

    def one_round():
        for transition in ("configure", "activate", "deactivate", "cleanup"):
            assert driver.change(transition)

    one_round()
    first = used()
    for _ in range(49):
        one_round()
    deadline = time.monotonic() + 10  # the last worker ends when it ends
    while used() != first and time.monotonic() < deadline:
        time.sleep(0.1)
    assert used() == first


@pytest.fixture
def process(driver):
    """The installed node in a process of its own."""
    program = Path(get_package_prefix("poseflow_ros"), "lib", "poseflow_ros", "poseflow_node")
    environment = os.environ | {"ROS_DOMAIN_ID": str(driver.domain_id)}
    started = subprocess.Popen([program], env=environment, stderr=subprocess.PIPE, text=True)
    with started:
        yield started
        started.kill()


@pytest.mark.slow
@pytest.mark.parametrize(
    "transitions",
    [[], ["configure"], ["configure", "activate"]],
    ids=["unconfigured", "inactive", "active"],
)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process(driver, process, transitions, how):
    assert all(driver.change(transition) for transition in transitions)
    driver.state()
    process.send_signal(how)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "Traceback" not in said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_network_is_loaded_ends_the_process(driver, process, how):
    driver.state()
    client = driver.node.create_client(ChangeState, "/poseflow/change_state")
    driver.until(client.service_is_ready, "the service")
    client.call_async(ChangeState.Request(transition=Transition(id=TRANSITIONS["configure"])))
    said = ""
    while "loading" not in said:  # DDS may say something before
        line = process.stderr.readline()
        assert line, f"code {process.wait()}: {said}"
        said += line
    process.send_signal(how)
    said += process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 0
    assert "Traceback" not in said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_deletes_the_markers(driver, process, how):
    heard = driver.listen(MarkerArray, "/poseflow/markers", 100)
    assert driver.change("configure") and driver.change("activate")
    process.send_signal(how)
    driver.until(lambda: heard, "the last markers")
    assert [marker.action for marker in heard[0].markers] == [Marker.DELETEALL]
