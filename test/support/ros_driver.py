"""A test node that publishes to the tested node, subscribes to it and calls its services."""

import time
from array import array
from contextlib import contextmanager

import numpy as np
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from poseflow_ros.ros.inputs.images import to_message
from poseflow_ros.ros.stamps import duration

# Longer than anything takes on a busy machine: only a failure waits for it.
PATIENCE_S = 240.0
RETRY_S = 0.5
# The name of an endpoint's node before DDS has announced it.
UNKNOWN = "_NODE_NAME_UNKNOWN_"

TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
    "shutdown unconfigured": Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    "shutdown inactive": Transition.TRANSITION_INACTIVE_SHUTDOWN,
    "shutdown active": Transition.TRANSITION_ACTIVE_SHUTDOWN,
}


def stamped(image, stamp_s, encoding="rgb8"):
    """An image message with a stamp."""
    time_ = duration(stamp_s)
    header = Header(frame_id="camera")
    header.stamp.sec, header.stamp.nanosec = time_.sec, time_.nanosec
    return to_message(image, header, encoding)


def depth_message(depth, stamp_s, encoding="32FC1"):
    """Return a depth image message of (H, W) metres."""
    if encoding == "16UC1":
        depth = np.rint(1000 * depth).astype(np.uint16)
    message = stamped(np.zeros((1, 1, 3), np.uint8), stamp_s)
    message.height, message.width = depth.shape
    message.encoding, message.step = encoding, depth.shape[1] * depth.itemsize
    message.data = array("B", depth.tobytes())
    return message


class Driver:
    """The world around a node: it publishes, listens and calls, in a context of its own."""

    def __init__(self, domain_id):
        self.domain_id = domain_id
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain_id)
        self.node = rclpy.create_node("driver", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._clients = {}

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def until(self, condition, what="it"):
        """Spin until the condition holds; fail after a timeout."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain for {what}"
            self.executor.spin_once(timeout_sec=0.05)

    def spin(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.05)

    def listen(self, message_type, topic, qos=10):
        """Return a list that grows by every message."""
        heard = []
        self.node.create_subscription(message_type, topic, heard.append, qos)
        return heard

    def call(self, service_type, name, **request):
        """Return the response of a service of a node's own namespace, `/node/service`."""
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self.node.create_client(service_type, name)
        self.wait_until_known_to(name.rpartition("/")[0])
        self.until(client.service_is_ready, f"service {name}")
        future = client.call_async(service_type.Request(**request))
        self.until(future.done, f"the response of {name}")
        return future.result()

    def change(self, transition, name="/poseflow"):
        """Request a transition; return whether it succeeded."""
        transition = Transition(id=TRANSITIONS.get(transition, transition))
        return self.call(ChangeState, f"{name}/change_state", transition=transition).success

    def state(self, name="/poseflow"):
        return self.call(GetState, f"{name}/get_state").current_state.label

    def camera(self, message_type=Image, topic="image", qos=5):
        """Return a publisher that is connected to a node's subscription, in both directions."""
        publisher = self.node.create_publisher(message_type, topic, qos)
        self.until(lambda: publisher.get_subscription_count() > 0, f"a subscriber of {topic}")
        for node in self._subscribers(topic):
            self.wait_until_known_to(node)
        return publisher

    def _subscribers(self, topic):
        """Return the full names of the other nodes that subscribe to a topic."""

        def infos():
            return self.node.get_subscriptions_info_by_topic(topic)

        self.until(lambda: all(i.node_name != UNKNOWN for i in infos()), "names of nodes")
        names = {f"{i.node_namespace.rstrip('/')}/{i.node_name}" for i in infos()}
        return names - {self.node.get_fully_qualified_name()}

    def wait_until_known_to(self, name):
        """Wait until a node knows every publisher, subscription and client made so far.

        DDS announces the endpoints of a participant in the order in which they were made: a node
        that answers a new client knows all older ones. An answer to a client that the node does
        not know yet is lost, therefore the request is repeated.
        """
        client = self.node.create_client(GetParameters, f"{name}/get_parameters")
        self.until(client.service_is_ready, f"node {name}")
        future, deadline = None, time.monotonic() + PATIENCE_S
        while future is None or not future.done():
            assert time.monotonic() < deadline, f"{name} did not answer in {PATIENCE_S} s"
            future = client.call_async(GetParameters.Request())
            self.executor.spin_until_future_complete(future, timeout_sec=RETRY_S)
        self.node.destroy_client(client)


@contextmanager
def open_driver(domain_id):
    """Make a driver; close it with the context."""
    driver = Driver(domain_id)
    try:
        yield driver
    finally:
        driver.close()
