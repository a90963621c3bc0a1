"""The action node, while people leave and return, cross, and while the camera stops."""

import pytest
from made_networks import write_labels, write_onnx
from poseflow_msgs.msg import TrackedActionArray, TrackedBehaviorArray, TrackedPoseArray
from stories import camera_stops, leaves_and_returns, published, two_cross
from test_action_node import activate, heard_of, publisher_of

from poseflow_ros.action_config import WindowsConfig
from poseflow_ros.actions.behaviors import BehaviorRecognizer
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.windows import PoseWindows
from poseflow_ros.ros.outputs.pose_messages import tracked_pose_messages

WINDOWS = {"duration_s": 1.0, "rate_hz": 10.0, "stride_s": 0.5}
STORIES = {
    "leaves and returns soon": leaves_and_returns(1.5),
    "leaves and returns late": leaves_and_returns(3.0),
    "two cross": two_cross(),
    "the camera stops": camera_stops(3.0),
}


def message_of(index, stamp_s, tracked):
    message = TrackedPoseArray(skeleton="coco17", image_width=640, image_height=480)
    message.sequence = index
    stamp_ns = round(stamp_s * 1e9)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    message.poses = tracked_pose_messages(tracked)
    return message


def end_of(message):
    return message.window_end.sec + message.window_end.nanosec * 1e-9


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_actions_and_behaviors_are_those_of_the_library(
    story, driver, start_action_node, tmp_path
):
    start_action_node(
        {f"windows.{name}": value for name, value in WINDOWS.items()}
        | {
            "classifier.model": write_onnx(tmp_path, (2, 10, 17, 3)),
            "classifier.labels": write_labels(tmp_path),
            "classifier.frames": 10,
        }
    )
    activate(driver)
    behaviors = heard_of(driver, TrackedBehaviorArray, "/actions/behaviors")
    actions = heard_of(driver, TrackedActionArray, "/actions/actions")
    publisher = publisher_of(driver)
    windows, recognizer, n_actions = PoseWindows(WindowsConfig(**WINDOWS)), BehaviorRecognizer(), 0
    for index, stamp_s, tracked in published(story):
        message, n = message_of(index, stamp_s, tracked), len(behaviors)
        publisher.publish(message)
        driver.until(lambda n=n: len(behaviors) > n, "behaviors")
        frame = PoseFrame.from_message(message)
        expected = recognizer.update(frame)
        people = [(person.track_id, person.posture) for person in behaviors[-1].people]
        rows = zip(expected.track_ids.tolist(), expected.postures.tolist(), strict=True)
        assert people == list(rows)
        ready = windows.update(frame)
        if len(ready):
            n_actions += 1
            driver.until(lambda n=n_actions: len(actions) == n, "actions")
            assert [a.track_id for a in actions[-1].actions] == ready.track_ids.tolist()
            assert end_of(actions[-1]) == pytest.approx(ready.end_s)
    assert len(actions) == n_actions >= 5
