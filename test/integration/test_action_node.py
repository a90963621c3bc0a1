"""The action node over DDS: tracked poses in, behaviors and actions of a known network out."""

import math

import numpy as np
import pytest
from bodies import LEFT, image_of, lying, raised_arm, standing
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from made_networks import LABELS, expected_logits, write_labels, write_onnx
from pose_messages import START_S, poses_message
from poseflow_msgs.msg import (
    TrackedActionArray,
    TrackedBehavior,
    TrackedBehaviorArray,
    TrackedPoseArray,
)
from ros_driver import stamped

from poseflow_ros.action_config import WindowsConfig
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.kinds import Posture, Zone
from poseflow_ros.actions.layouts import nmtvc, uniform_samples
from poseflow_ros.actions.windows import PoseWindows, Windows

NODE = "/actions"
WINDOWS = {"windows.duration_s": 1.0, "windows.rate_hz": 10.0, "windows.stride_s": 0.5}
SHAPE = (2, 10, 17, 3)


@pytest.fixture
def start_actions(start_action_node):
    """A function that starts an action node with short windows and these parameters."""

    def start(parameters=None):
        return start_action_node(WINDOWS | (parameters or {}))

    return start


@pytest.fixture
def network(tmp_path):
    """The parameters of a network whose output is known."""
    return {
        "classifier.model": write_onnx(tmp_path, SHAPE),
        "classifier.labels": write_labels(tmp_path),
        "classifier.frames": 10,
        "classifier.top": 4,
    }


def activate(driver):
    assert driver.change("configure", NODE)
    assert driver.change("activate", NODE)


def publisher_of(driver, topic="tracked_poses"):
    publisher = driver.node.create_publisher(TrackedPoseArray, topic, 10)
    driver.until(lambda: publisher.get_subscription_count() > 0, topic)
    return publisher


def heard_of(driver, message_type, topic):
    heard = driver.listen(message_type, topic)
    driver.until(lambda: driver.node.count_publishers(topic) > 0, topic)
    driver.spin(0.3)
    return heard


def play(driver, publisher, frames, behaviors, **options):
    """Publish these people one image after the other, each after the answer to the last."""
    for index, people in frames:
        n = len(behaviors)
        publisher.publish(poses_message(people, index, **options))
        driver.until(lambda n=n: len(behaviors) > n, "behaviors")


def moving(n, offset=0.0):
    """Return the image of somebody who walks to the right."""
    return image_of(standing(), (0.1 * n + offset, 1.0, 4.0))


def test_message_constants_equal_the_enums():
    for kind, prefix in ((Posture, "POSTURE_"), (Zone, "ZONE_")):
        for member in kind:
            assert getattr(TrackedBehavior, prefix + member.name) == member


def test_behaviors_of_everybody_are_published_for_every_image(driver, start_actions):
    start_actions()
    activate(driver)
    heard = heard_of(driver, TrackedBehaviorArray, "/actions/behaviors")
    publisher = publisher_of(driver)
    people = [(4, image_of(raised_arm(standing(), LEFT))), (9, image_of(lying()))]
    play(driver, publisher, [(i, people) for i in range(8)] + [(8, [])], heard, camera="front")
    message = heard[7]
    assert (message.camera, message.epoch, message.header.frame_id) == (
        "front",
        0,
        "camera_optical",
    )
    assert message.header.stamp == poses_message([], 7).header.stamp
    raised, on_the_ground = message.people
    assert (raised.track_id, on_the_ground.track_id) == (4, 9)
    assert raised.posture == TrackedBehavior.POSTURE_STANDING
    assert on_the_ground.posture == TrackedBehavior.POSTURE_LYING
    assert (raised.left_hand_raised, raised.right_hand_raised) == (True, False)
    assert raised.facing_camera
    assert raised.zone == TrackedBehavior.ZONE_UNKNOWN
    assert math.isnan(raised.distance)
    assert math.isnan(raised.left_pointing_direction.x)
    assert list(heard[8].people) == []


def softmax(logits):
    powers = np.exp(logits.astype(float))
    return powers / powers.sum(axis=1, keepdims=True)


def expected_scores(frames):
    """Return {end of the window, ns: {track id: scores}} by the library alone."""
    windows = PoseWindows(
        WindowsConfig(**{name.partition(".")[2]: value for name, value in WINDOWS.items()})
    )
    expected = {}
    for index, people in frames:
        ready: Windows = windows.update(PoseFrame.from_message(poses_message(people, index)))
        if len(ready):
            scores = softmax(expected_logits(nmtvc(uniform_samples(ready.filled(), 10))))
            by_id = dict(zip(ready.track_ids.tolist(), scores, strict=True))
            expected[round(ready.end_s * 10)] = by_id
    return expected


def test_actions_are_those_of_the_network(driver, start_actions, network):
    start_actions(network)
    activate(driver)
    behaviors = heard_of(driver, TrackedBehaviorArray, "/actions/behaviors")
    actions = heard_of(driver, TrackedActionArray, "/actions/actions")
    publisher = publisher_of(driver)
    frames = [(i, [(3, moving(i)), (5, moving(-i, 2.0))]) for i in range(26)]
    expected = expected_scores(frames)
    assert len(expected) == 4  # after 10, 15, 20 and 25 images
    for index, people in frames:
        play(driver, publisher, [(index, people)], behaviors)
        due = sum(end <= START_S * 10 + index for end in expected)
        driver.until(lambda due=due: len(actions) == due, "actions")
    for message in actions:
        end = message.window_end.sec * 10 + round(message.window_end.nanosec / 1e8)
        start = message.window_start.sec * 10 + round(message.window_start.nanosec / 1e8)
        assert end - start == 9
        assert [action.track_id for action in message.actions] == [3, 5]
        for action in message.actions:
            scores = expected[end][action.track_id]
            order = np.argsort(-scores)
            assert list(action.labels) == [LABELS[i] for i in order]
            np.testing.assert_allclose(action.scores, scores[order], rtol=1e-3)


def test_several_cameras_have_their_own_people(driver, start_actions, network):
    start_actions(network | {"poses.topics": ["front/poses", "rear/poses"]})
    activate(driver)
    behaviors = heard_of(driver, TrackedBehaviorArray, "/actions/behaviors")
    actions = heard_of(driver, TrackedActionArray, "/actions/actions")
    front, rear = (publisher_of(driver, f"{name}/poses") for name in ("front", "rear"))
    for i in range(10):
        play(driver, front, [(i, [(1, moving(i))])], behaviors, camera="front")
        play(driver, rear, [(i, [(1, moving(-i))])], behaviors, camera="rear")
    driver.until(lambda: len(actions) == 2, "actions")
    assert sorted(message.camera for message in actions) == ["front", "rear"]
    first, second = (message.actions[0] for message in actions)
    assert list(first.scores) != list(second.scores)


def test_deactivation_discards_the_poses(driver, start_actions, network):
    start_actions(network)
    activate(driver)
    behaviors = heard_of(driver, TrackedBehaviorArray, "/actions/behaviors")
    actions = heard_of(driver, TrackedActionArray, "/actions/actions")
    publisher = publisher_of(driver)
    play(driver, publisher, [(i, [(1, moving(i))]) for i in range(8)], behaviors)
    assert driver.change("deactivate", NODE)
    assert driver.change("activate", NODE)
    driver.until(lambda: publisher.get_subscription_count() > 0, "the subscription")
    play(driver, publisher, [(i, [(1, moving(i))]) for i in range(8, 17)], behaviors)
    driver.spin(0.5)
    assert actions == []
    play(driver, publisher, [(17, [(1, moving(17))])], behaviors)
    driver.until(lambda: len(actions) == 1, "actions")


def test_the_node_walks_through_every_state(driver, start_actions, network):
    start_actions(network)
    for transition, state in (
        ("configure", "inactive"),
        ("activate", "active"),
        ("deactivate", "inactive"),
        ("cleanup", "unconfigured"),
        ("configure", "inactive"),
        ("activate", "active"),
        ("shutdown active", "finalized"),
    ):
        assert driver.change(transition, NODE), transition
        assert driver.state(NODE) == state


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"classifier.model": "missing.onnx"}, "classifier.model is 'missing.onnx', which is not"),
        ({"windows.rate_hz": 0.5}, "windows.rate_hz is 0.5, must be from 1 to 120"),
        ({"behaviors.social_m": 9.0}, "behaviors.personal_m, social_m and public_m are 0.45, 9"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    driver, start_actions, parameters, words, capfd
):
    start_actions(parameters)
    assert not driver.change("configure", NODE)
    assert driver.state(NODE) == "unconfigured"
    error = capfd.readouterr().err
    assert f"cannot configure: {words}" in error
    assert "Traceback" not in error


def test_poses_of_another_skeleton_are_reported_and_the_node_lives(driver, start_actions):
    start_actions()
    activate(driver)
    behaviors = heard_of(driver, TrackedBehaviorArray, "/actions/behaviors")
    diagnostics = heard_of(driver, DiagnosticArray, "/diagnostics")
    publisher = publisher_of(driver)
    publisher.publish(poses_message([(1, moving(0)[:14])], 0))

    def latest():
        statuses = [s for message in diagnostics for s in message.status if "actions" in s.name]
        return statuses[-1] if statuses else DiagnosticStatus()

    driver.until(lambda: latest().level == DiagnosticStatus.WARN, "a warning")
    assert latest().message == "people must have 17 keypoints, got 14"
    play(driver, publisher, [(1, [(1, moving(1))])], behaviors)
    driver.until(lambda: latest().level == DiagnosticStatus.OK, "recovery")
    values = {value.key: value.value for value in latest().values}
    assert (values["received"], values["unusable"]) == ("2", "1")


def test_the_poses_of_the_main_node_become_behaviors(
    driver, active_node, start_actions, pedestrians
):
    active_node(movenet__input_size=512)
    start_actions({"poses.topics": ["/poseflow/tracked_poses"]})
    activate(driver)
    behaviors = heard_of(driver, TrackedBehaviorArray, "/actions/behaviors")
    camera = driver.camera()
    for index, image in enumerate(pedestrians):
        n = len(behaviors)
        camera.publish(stamped(image, 1 + index / 10))
        driver.until(lambda n=n: len(behaviors) > n, "behaviors")
    standing_ids = {
        person.track_id
        for person in behaviors[-1].people
        if person.posture == TrackedBehavior.POSTURE_STANDING
    }
    assert len(standing_ids) >= 2
    assert not any(person.fallen or person.left_waving for person in behaviors[-1].people)
