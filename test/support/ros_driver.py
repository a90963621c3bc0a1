"""A test node that publishes to the tested node, subscribes to it and calls its services."""

import time
from array import array

import numpy as np
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from poseflow_ros.ros.conversions import duration
from poseflow_ros.ros.images import to_message

PATIENCE_S = 30.0
# A client sees a service before the service sees the client: an answer sent in between is lost.
# So may one be that a dead node of this name seems to be ready for.
SETTLE_S = 0.3
ASKED = 6  # times, in all of one's patience

TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
    "shutdown unconfigured": Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    "shutdown inactive": Transition.TRANSITION_INACTIVE_SHUTDOWN,
    "shutdown active": Transition.TRANSITION_ACTIVE_SHUTDOWN,
}
GOALS = {
    "configure": "inactive",
    "activate": "active",
    "deactivate": "inactive",
    "cleanup": "unconfigured",
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
        """Return a service's answer; asked again where none comes, as one may be lost."""
        for _ in range(ASKED):
            answer = self._ask(service_type, name, request)
            if answer is not None:
                return answer
        raise AssertionError(f"no answer of {name}")

    def _ask(self, service_type, name, request):
        """Return an answer, or None where none comes."""
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self.node.create_client(service_type, name)
            self.until(client.service_is_ready, f"service {name}")
            self.spin(SETTLE_S)
        future = client.call_async(service_type.Request(**request))
        self.executor.spin_until_future_complete(future, timeout_sec=PATIENCE_S / ASKED)
        return future.result() if future.done() else None

    def change(self, transition, name="/poseflow"):
        """Ask for a transition; return whether it succeeded."""
        request = {"transition": Transition(id=TRANSITIONS.get(transition, transition))}
        for _ in range(ASKED):
            answer = self._ask(ChangeState, f"{name}/change_state", request)
            if answer is not None:
                return answer.success
            if self.state(name) == GOALS.get(transition):
                return True  # only the answer was lost
        raise AssertionError(f"no answer of {name} to {transition}")

    def state(self, name="/poseflow"):
        return self.call(GetState, f"{name}/get_state").current_state.label

    def camera(self, message_type=Image, topic="image", reliable=True):
        """Return a publisher that the node has found."""
        qos = QoSProfile(depth=5) if reliable else qos_profile_sensor_data
        publisher = self.node.create_publisher(message_type, topic, qos)
        self.until(lambda: publisher.get_subscription_count() > 0, f"a subscriber of {topic}")
        return publisher
