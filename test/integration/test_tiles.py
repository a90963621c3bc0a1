"""Tiles in the node: what `movenet.max_passes` leaves out is reported."""

from diagnostic_msgs.msg import DiagnosticArray
from poseflow_msgs.msg import TrackedPoseArray
from ros_driver import stamped


def values_of(heard, name):
    """Return the values of the last status of this name."""
    statuses = [status for array in heard for status in array.status if status.name == name]
    return {item.key: item.value for item in statuses[-1].values} if statuses else {}


def test_passes_left_out_are_reported(driver, active_node, pedestrians):
    # 768 x 576 has 3 x 2 tiles, and the whole image: the first image needs seven passes.
    active_node(movenet__tiles="auto", movenet__max_passes=2, movenet__search_passes=2)
    heard = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses")
    diagnostics = driver.listen(DiagnosticArray, "/diagnostics")
    camera = driver.camera()
    camera.publish(stamped(pedestrians[0], 1.0))
    driver.until(lambda: heard, "an answer")
    name = "/poseflow: camera"
    driver.until(
        lambda: values_of(diagnostics, name).get("network passes left out") == "5", "the passes"
    )
    assert values_of(diagnostics, name)["people not looked for"] == "0"


def test_people_seen_in_tiles_are_published_in_every_image(driver, active_node, pedestrians):
    active_node(movenet__tiles="auto")
    heard = driver.listen(TrackedPoseArray, "/poseflow/tracked_poses")
    camera = driver.camera()
    for i, image in enumerate(pedestrians[:6]):
        camera.publish(stamped(image, 1 + 0.1 * i))
        driver.until(lambda n=i + 1: len(heard) == n, "an answer")
    ids = [{pose.track_id for pose in array.poses} for array in heard]
    assert len(set.intersection(*ids[-3:])) >= 2
