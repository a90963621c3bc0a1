"""The example layout of Foxglove: valid JSON, whose panels show topics and fields that exist."""

import importlib
import json
import re
from pathlib import Path

LAYOUT = Path(__file__).resolve().parents[2] / "examples" / "foxglove_layout.json"


def layout():
    return json.loads(LAYOUT.read_text())


def panels(node):
    """Return the ids of the panels in a split of the window."""
    return [node] if isinstance(node, str) else panels(node["first"]) + panels(node["second"])


def plotted(configs):
    """Yield topic and path, as in `/topic.field[:].other`, of each plot."""
    for name, config in configs.items():
        if name.startswith("Plot!"):
            for series in config["paths"]:
                topic, _, path = series["value"].partition(".")
                yield topic, re.sub(r"\[:?\d*\]", "", path)


def field_type(message_type, path):
    """Return the type of a field of a message, of an array that of its items."""
    for name in path.split("."):
        if name == "@length":
            return "uint32"
        package, _, message = message_type.rpartition("/")
        kind = getattr(importlib.import_module(f"{package}.msg"), message)
        item = kind.get_fields_and_field_types()[name]
        message_type = re.sub(r"sequence<(.*)>", r"\1", item)
    return message_type


def test_every_panel_of_the_window_is_configured():
    document = layout()
    assert sorted(panels(document["layout"])) == sorted(document["configById"])


def test_the_panels_show_topics_of_the_nodes(driver, active_node, start_bridge_node):
    active_node(movenet__input_size=512)
    start_bridge_node({"outputs.formats": ["image_marker"]})
    assert driver.change("configure", "/bridge")
    configs = layout()["configById"]
    annotated, raw = (configs[f"Image!{name}"]["imageMode"] for name in ("annotated", "raw"))
    published = {
        annotated["imageTopic"],
        *raw["annotations"],
        *configs["3D!poseflow"]["topics"],
        configs["DiagnosticSummary!poseflow"]["topicToRender"],
        *(topic for topic, _ in plotted(configs)),
    }
    for topic in published:
        driver.until(lambda topic=topic: driver.node.count_publishers(topic) > 0, topic)
    for topic in (raw["imageTopic"], raw["calibrationTopic"]):
        driver.until(lambda topic=topic: driver.node.count_subscribers(topic) > 0, topic)


def test_the_plots_show_numbers_of_the_messages():
    for topic, path in plotted(layout()["configById"]):
        assert topic == "/poseflow/tracked_poses"
        assert re.match("u?int|float|double", field_type("poseflow_msgs/TrackedPoseArray", path))
