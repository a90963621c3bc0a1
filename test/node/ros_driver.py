"""The world around a node: what publishes to it, listens and calls."""

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
SETTLE_S = 0.3

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
        """Spin until the condition holds; fail where it never does."""
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
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self.node.create_client(service_type, name)
            self.until(client.service_is_ready, f"service {name}")
            self.spin(SETTLE_S)
        future = client.call_async(service_type.Request(**request))
        self.until(future.done, f"an answer of {name}")
        return future.result()

    def bring_up_beside_a_ghost(self, name="/poseflow"):
        """Configure and activate a node while one of its name that was killed is still listed.

        A service of a ghost is ready, so nobody knows when the new one has seen the client: an
        answer may be lost, and is asked for again.
        """
        change = self.node.create_client(ChangeState, f"{name}/change_state")
        get = self.node.create_client(GetState, f"{name}/get_state")
        for transition, wanted in (("configure", "inactive"), ("activate", "active")):
            request = ChangeState.Request(transition=Transition(id=TRANSITIONS[transition]))
            for _ in range(10):
                self._ask(change, request)
                state = self._ask(get, GetState.Request())
                if state is not None and state.current_state.label == wanted:
                    break
            else:
                raise AssertionError(f"{name} did not become {wanted}")
        self.node.destroy_client(change)
        self.node.destroy_client(get)

    def _ask(self, client, request, patience_s=3.0):
        """Return an answer, or None where none comes."""
        future = client.call_async(request)
        self.executor.spin_until_future_complete(future, timeout_sec=patience_s)
        return future.result() if future.done() else None

    def change(self, transition, name="/poseflow"):
        """Ask for a transition; return whether it succeeded."""
        number = TRANSITIONS.get(transition, transition)
        request = Transition(id=number)
        return self.call(ChangeState, f"{name}/change_state", transition=request).success

    def state(self, name="/poseflow"):
        return self.call(GetState, f"{name}/get_state").current_state.label

    def camera(self, message_type=Image, topic="image", reliable=True):
        """Return a publisher that the node has found."""
        qos = QoSProfile(depth=5) if reliable else qos_profile_sensor_data
        publisher = self.node.create_publisher(message_type, topic, qos)
        self.until(lambda: publisher.get_subscription_count() > 0, f"a subscriber of {topic}")
        return publisher
