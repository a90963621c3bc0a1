"""Transformation of points to another frame with TF."""

import gc
import math
import sys
import threading

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, TransformStamped, Vector3
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_driver import PATIENCE_S
from std_msgs.msg import Header

from poseflow_ros.ros.inputs.target_frame import TfFrame
from poseflow_ros.ros_data.frames import FrameError

FOREVER_S = 1e6
HALF = math.sqrt(0.5)
NO_TURN = Quaternion(w=1.0)
QUARTER_LEFT = Quaternion(z=HALF, w=HALF)
# From a camera's axes (right, down, ahead) to a robot's (ahead, left, up).
OPTICAL = Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)


def stamp(seconds):
    return Time(sec=math.floor(seconds), nanosec=round(1e9 * (seconds % 1)))


def transform(parent, child, shift, turn=NO_TURN, at_s=0.0):
    """What takes points from child to parent."""
    message = TransformStamped(header=Header(frame_id=parent, stamp=stamp(at_s)))
    message.child_frame_id = child
    message.transform.translation = Vector3(**dict(zip("xyz", map(float, shift), strict=True)))
    message.transform.rotation = turn
    return message


class Room:
    """Other nodes' TF around a node that looks into one frame."""

    def __init__(self, driver, node, target):
        from tf2_msgs.msg import TFMessage

        self.driver, self.target, self._message_type = driver, target, TFMessage
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._static = driver.node.create_publisher(TFMessage, "/tf_static", latched)
        self._moving = driver.node.create_publisher(TFMessage, "/tf", 100)
        self._fixed, self._said = [], 0
        for publisher in (self._static, self._moving):
            driver.until(lambda p=publisher: p.get_subscription_count(), "a listener to TF")

    def fix(self, *arguments):
        self._fixed.append(transform(*arguments))
        self._static.publish(self._message_type(transforms=self._fixed))
        self._hear(self._fixed[-1])

    def move(self, *arguments, at_s):
        message = transform(*arguments, at_s=at_s)
        self._moving.publish(self._message_type(transforms=[message]))
        self._hear(message)

    def find(self, points, frame_id, at_s, timeout_s=0.0):
        """Return where (N, 3) points are in the target frame."""
        rotation, translation = self.target.lookup(frame_id, stamp(at_s), timeout_s)
        return np.asarray(points) @ rotation.T + translation

    def _hear(self, message):
        """Wait until the node has taken the message in, or refused it: until it has the next."""
        self._said += 1
        after = transform(self.target.name, f"after {self._said}", (0, 0, 0))
        topic = self._moving if message not in self._fixed else self._static
        transforms = [after] if topic is self._moving else [*self._fixed, after]
        topic.publish(self._message_type(transforms=transforms))
        self.driver.until(lambda: self._knows(after.child_frame_id), "TF")

    def _knows(self, frame_id):
        try:
            self.target.lookup(frame_id, Time(), 0.0)
        except FrameError:
            return False
        return True


@pytest.fixture
def target(bare_node):
    pytest.importorskip("tf2_ros", reason="tf2_ros does not import: it comes with ROS, not PyPI")
    target = TfFrame(bare_node, "map")
    yield target
    target.destroy()


@pytest.fixture
def room(driver, bare_node, target):
    return Room(driver, bare_node, target)


class Lookup(threading.Thread):
    """A lookup in a thread of its own, as the worker makes it."""

    def __init__(self, target, at_s, timeout_s=FOREVER_S, ended=lambda: False):
        super().__init__(daemon=True)
        self._arguments = target, at_s, timeout_s, ended
        self.found = self.error = None
        self.start()

    def run(self):
        target, at_s, timeout_s, ended = self._arguments
        try:
            self.found = target.lookup("base_link", stamp(at_s), timeout_s, ended)
        except FrameError as error:
            self.error = error

    def waits(self):
        self.join(0.3)
        return self.is_alive()

    def ends(self):
        self.join(PATIENCE_S)
        return not self.is_alive()


def test_missing_tf2_ros_is_reported(bare_node, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(FrameError) as raised:
        TfFrame(bare_node, "base_link")
    (line,) = str(raised.value).splitlines()
    assert line.startswith("depth.target_frame is 'base_link', which needs tf2_ros (")
    assert not list(bare_node.subscriptions)


def test_transform_of_a_camera_on_a_robot(room):
    room.fix("map", "camera", (0.1, 0, 1.2), OPTICAL)
    # 1 m right, 2 m down and 3 m ahead of the camera.
    assert room.find([[1, 2, 3]], "camera", at_s=50.0) == pytest.approx(
        np.array([[3.1, -1, -0.8]])
    )


def test_moving_robot_is_interpolated_at_the_stamp(room):
    room.fix("base_link", "camera", (0, 0, 1), OPTICAL)
    room.move("map", "base_link", (0, 0, 0), at_s=10.0)
    room.move("map", "base_link", (2, 0, 0), QUARTER_LEFT, at_s=11.0)
    ahead = [[0, 0, 1]]
    # Half-way it stands at x = 1 and looks 45 degrees to the left.
    assert room.find(ahead, "camera", 10.0) == pytest.approx(np.array([[1, 0, 1]]))
    assert room.find(ahead, "camera", 10.5) == pytest.approx(np.array([[1 + HALF, HALF, 1]]))
    assert room.find(ahead, "camera", 11.0) == pytest.approx(np.array([[2, 1, 1]]))
    # A stamp of zero is TF's word for the newest.
    assert room.find(ahead, "camera", 0.0) == pytest.approx(np.array([[2, 1, 1]]))


def test_camera_frame_can_be_an_ancestor_of_the_target(room):
    room.fix("earth", "map", (5, 0, 0), QUARTER_LEFT)
    # 1 m beyond the map's origin, which is ahead on earth: to the right of a map turned left.
    assert room.find([[6, 0, 0]], "earth", 3.0) == pytest.approx(np.array([[0, -1, 0]]))


def test_quaternion_is_normalized(room):
    room.fix("map", "camera", (0, 0, 0), Quaternion(z=1.004 * HALF, w=1.004 * HALF))
    rotation, _ = room.target.lookup("camera", stamp(1.0), 0.0)
    assert rotation == pytest.approx(np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), abs=1e-12)


def test_target_frame_itself_needs_no_tf(target):
    rotation, translation = target.lookup("map", stamp(1.0), FOREVER_S)
    assert (rotation == np.eye(3)).all()
    assert (translation == 0).all()


@pytest.mark.parametrize(
    ("frame_id", "at_s", "said"),
    [
        pytest.param("", 10.0, "no transform from '' to 'map' at 10.000000000: ", id="no frame"),
        pytest.param("/camera", 10.0, "from '/camera' to", id="a slash, as in ROS 1"),
        pytest.param("moon", 10.0, "from 'moon' to", id="a frame nobody publishes"),
        pytest.param("loose", 10.0, "from 'loose' to", id="a frame of another tree"),
        pytest.param("camera", -1.5, "at -2.500000000: ", id="a stamp below zero"),
    ],
)
def test_unknown_frame_fails_at_once_with_one_line(room, frame_id, at_s, said):
    room.fix("map", "camera", (0, 0, 0), OPTICAL)
    room.fix("elsewhere", "loose", (0, 0, 0))
    with pytest.raises(FrameError) as raised:
        room.target.lookup(frame_id, stamp(at_s), FOREVER_S)
    (line,) = str(raised.value).splitlines()
    assert said in line


def test_an_image_newer_than_tf_waits_for_it(room):
    room.move("map", "base_link", (0, 0, 0), at_s=10.0)
    lookup = Lookup(room.target, 10.5)
    assert lookup.waits()
    room.move("map", "base_link", (2, 0, 0), at_s=11.0)
    assert lookup.ends()
    assert lookup.found[1] == pytest.approx(np.array([1, 0, 0]))


def test_wait_for_tf_is_limited(room, bare_node):
    # Time that stands still, as in a simulation that is paused, is not what is waited by.
    bare_node.set_parameters([Parameter("use_sim_time", value=True)])
    room.move("map", "base_link", (0, 0, 0), at_s=10.0)
    lookup = Lookup(room.target, 10.5, timeout_s=0.2)
    assert lookup.ends()
    (line,) = str(lookup.error).splitlines()
    assert line.startswith("no transform from 'base_link' to 'map' at 10.500000000: ")
    assert "extrapolation" in line


def test_destroy_ends_a_waiting_lookup(room):
    room.move("map", "base_link", (0, 0, 0), at_s=10.0)
    lookup = Lookup(room.target, 10.5)
    assert lookup.waits()
    room.target.destroy()
    assert lookup.ends()
    assert lookup.error


def test_a_lookup_whose_result_is_not_needed_ends(room):
    room.move("map", "base_link", (0, 0, 0), at_s=10.0)
    ended = threading.Event()
    lookup = Lookup(room.target, 10.5, ended=ended.is_set)
    assert lookup.waits()
    ended.set()
    assert lookup.ends()
    assert lookup.error


def test_shutdown_of_ros_ends_a_waiting_lookup(room, bare_node):
    room.move("map", "base_link", (0, 0, 0), at_s=10.0)
    lookup = Lookup(room.target, 10.5, timeout_s=1.0)
    rclpy.shutdown(context=bare_node.context)
    assert lookup.ends()
    assert lookup.error


def test_restarted_bag_clears_the_buffer(room):
    room.fix("base_link", "camera", (0, 0, 1), OPTICAL)

    def drive(*seconds):
        for at_s in seconds:
            room.move("map", "base_link", (at_s, 0, 0), at_s=at_s)

    drive(40.0, 41.0)
    room.find([[0, 0, 0]], "camera", 40.5)
    drive(10.0, 11.0)
    with pytest.raises(FrameError):  # TF has refused what is that much older
        room.find([[0, 0, 0]], "camera", 10.4)
    drive(10.0, 11.0)
    assert room.find([[0, 0, 0]], "camera", 10.5) == pytest.approx(np.array([[10.5, 0, 1]]))


def test_late_camera_does_not_clear_the_transforms_of_another(room):
    room.fix("base_link", "camera", (0, 0, 1), OPTICAL)
    room.fix("base_link", "slow", (0, 0, 2), OPTICAL)
    room.move("map", "base_link", (1, 0, 0), at_s=40.0)
    for _ in range(2):
        assert room.find([[0, 0, 0]], "camera", 40.0) == pytest.approx(np.array([[1, 0, 1]]))
        with pytest.raises(FrameError):
            room.find([[0, 0, 0]], "slow", 20.0)


def test_fifty_cycles_leak_nothing(driver, bare_node, target):
    from tf2_ros import Buffer

    def rounds():
        for _ in range(50):
            again = TfFrame(bare_node, "map")
            again.destroy()
            again.destroy()

    def buffers():
        return sum(type(thing) is Buffer for thing in gc.get_objects())

    def entities():
        return [len(list(e)) for e in (bare_node.subscriptions, bare_node.services)]

    def all_gone():
        gc.collect()
        return buffers() == 1  # that of the target

    before = entities()
    # By the executor's thread, as transitions are.
    task = bare_node.executor.create_task(rounds)
    driver.until(task.done, "fifty rounds")
    assert entities() == before
    driver.until(all_gone, "the last buffer to go")
