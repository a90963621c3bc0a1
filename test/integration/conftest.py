"""Real nodes over real DDS, each test in a ROS domain of its own."""

import contextlib
import itertools
import os
import threading

import pytest

rclpy = pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from ros_driver import Driver  # noqa: E402

from poseflow_ros.ros.node import PoseFlowNode  # noqa: E402

# Below 102 every domain has ports on Linux; runs beside each other start elsewhere.
_domains = itertools.cycle(range(2 + os.getpid() % 90, 101))


@pytest.fixture
def driver():
    driver = Driver(next(_domains))
    yield driver
    driver.close()


@contextlib.contextmanager
def spun(domain_id, make):
    """A node in this process, made by `make(context)` and spun by a thread of its own."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain_id)
    node = make(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin():
        with contextlib.suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin)
    thread.start()
    yield node
    executor.shutdown()
    thread.join(10)
    node.destroy_node()
    rclpy.try_shutdown(context=context)
    assert not thread.is_alive()


@pytest.fixture
def start_node(driver):
    """A function that starts a node; `classic__num=7` sets the parameter `classic.num`.

    Unless a test asks for tiles, MoveNet takes one pass over an image.
    """
    with contextlib.ExitStack() as nodes:

        def start(node_name="poseflow", **parameters):
            values = {name.replace("__", "."): value for name, value in parameters.items()}
            values = {"movenet.tiles": "1x1"} | values
            overrides = [Parameter(name, value=value) for name, value in values.items()]

            def make(context):
                return PoseFlowNode(node_name, context=context, parameter_overrides=overrides)

            return nodes.enter_context(spun(driver.domain_id, make))

        yield start


@pytest.fixture
def bare_node(driver):
    """A node without any of ours."""
    with spun(
        driver.domain_id, lambda context: rclpy.create_node("bare", context=context)
    ) as node:
        yield node


@pytest.fixture
def active_node(driver, start_node):
    """A function that starts a node and takes it to active."""

    def start(**parameters):
        node = start_node(**({"movenet__input_size": 256} | parameters))
        assert driver.change("configure")
        assert driver.change("activate")
        return node

    return start
