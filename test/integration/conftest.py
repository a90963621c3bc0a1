"""Real nodes over real DDS, each test in a ROS domain of its own."""

import contextlib
import threading

import pytest

rclpy = pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from ros_domains import reserved_domain  # noqa: E402
from ros_driver import open_driver  # noqa: E402

from poseflow_ros.ros.action_node import ActionNode  # noqa: E402
from poseflow_ros.ros.bridge_node import BridgeNode  # noqa: E402
from poseflow_ros.ros.node import PoseFlowNode  # noqa: E402


@pytest.fixture
def driver():
    with reserved_domain() as domain_id, open_driver(domain_id) as driver:
        yield driver


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

    `remap=["image:=/image_rect"]` remaps topics; `overrides={...}` sets parameters of any name.
    Unless a test asks for tiles, MoveNet takes one pass over an image.
    """
    with contextlib.ExitStack() as nodes:

        def start(node_name="poseflow", remap=(), overrides=None, **parameters):
            named = {name.replace("__", "."): value for name, value in parameters.items()}
            named = {"movenet.tiles": "1x1"} | named | (overrides or {})
            values = [Parameter(name, value=value) for name, value in named.items()]
            arguments = [word for rule in remap for word in ("-r", rule)]

            def make(context):
                return PoseFlowNode(
                    node_name,
                    context=context,
                    parameter_overrides=values,
                    cli_args=["--ros-args", *arguments],
                )

            return nodes.enter_context(spun(driver.domain_id, make))

        yield start


def starter(driver, node_class):
    """Yield a function that starts a node with parameters by their full names."""
    with contextlib.ExitStack() as nodes:

        def start(parameters):
            overrides = [Parameter(name, value=value) for name, value in parameters.items()]

            def make(context):
                return node_class(context=context, parameter_overrides=overrides)

            return nodes.enter_context(spun(driver.domain_id, make))

        yield start


@pytest.fixture
def start_action_node(driver):
    """A function that starts an action node."""
    yield from starter(driver, ActionNode)


@pytest.fixture
def start_bridge_node(driver):
    """A function that starts a bridge node."""
    yield from starter(driver, BridgeNode)


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
