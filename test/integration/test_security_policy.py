"""The SROS 2 policy, compared with the interfaces of the node and read by sros2."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from made_networks import write_labels, write_onnx

POLICY = Path(__file__).resolve().parents[2] / "config" / "sros2_policy.xml"
# With bondpy, with target_frame.
AT_TIMES = {"/bond", "/tf", "/tf_static"}
GRANTS = {"publisher": "publish", "subscriber": "subscribe", "service": "reply",
          "client": "request"}  # fmt: skip


def full_name(name, node):
    """A name of the policy as sros2 takes it, for a node in the root namespace."""
    if name.startswith("~"):
        return f"/{node}{name[1:]}"
    return name if name.startswith("/") else f"/{name}"


def granted(right, node):
    """The full names that the policy allows a node to publish, subscribe or reply."""
    profiles = [p for p in ET.parse(POLICY).iter("profile") if p.get("node") == node]
    (groups,) = profiles
    assert groups.get("ns") == "/"
    names = [full_name(e.text, node) for g in groups if g.get(right) == "ALLOW" for e in g]
    assert len(names) == len(set(names))
    return set(names)


def check_grants(driver, node):
    """Wait until a node has all that is granted, and check that it has nothing else."""
    at_times = AT_TIMES | {f"/{node}/get_type_description"}  # not in Humble

    def has(what):
        look = getattr(driver.node, f"get_{what}_names_and_types_by_node")
        return {name for name, _ in look(node, "/")}

    def has_all():
        return all(granted(right, node) - at_times <= has(what) for what, right in GRANTS.items())

    driver.until(has_all, "all that is granted")
    driver.spin(1.0)  # for more than that
    for what, right in GRANTS.items():
        assert has(what) | (at_times & granted(right, node)) == granted(right, node)


def test_policy_grants_exactly_the_interfaces_of_the_node(driver, active_node):
    active_node(use_sim_time=True)
    check_grants(driver, "poseflow")


def test_policy_grants_exactly_the_interfaces_of_the_action_node(
    driver, start_action_node, tmp_path
):
    network = {"classifier.model": write_onnx(tmp_path, (2, 10, 17, 3)),
               "classifier.labels": write_labels(tmp_path), "classifier.frames": 10}  # fmt: skip
    start_action_node(network | {"use_sim_time": True})
    assert driver.change("configure", "/actions")
    assert driver.change("activate", "/actions")
    check_grants(driver, "actions")


def test_sros2_creates_permissions_from_the_policy(tmp_path):
    keystore = pytest.importorskip("sros2.keystore", reason="sros2 is not installed")
    keystore.create_keystore(tmp_path)
    keystore.create_enclave(tmp_path, "/poseflow")
    keystore.create_permission(tmp_path, "/poseflow", POLICY)
    folder = tmp_path / "enclaves" / "poseflow"
    assert (folder / "permissions.p7s").is_file()
    allowed = ET.parse(folder / "permissions.xml").iter("allow_rule")
    names = {
        (kind.tag, topic.text) for rule in allowed for kind in rule for topic in kind.iter("topic")
    }
    assert ("subscribe", "rt/image") in names
    assert ("publish", "rt/poseflow/tracked_poses") in names
    assert ("subscribe", "rq/poseflow/change_stateRequest") in names
    assert ("publish", "rt/image") not in names
