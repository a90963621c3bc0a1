"""The SROS 2 policy against what the node really has, and as sros2 reads it."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

POLICY = Path(__file__).resolve().parents[2] / "config" / "sros2_policy.xml"
NODE = "/poseflow"
# With bondpy, with target_frame, not in Humble.
AT_TIMES = {"/bond", "/tf", "/tf_static", f"{NODE}/get_type_description"}
GRANTS = {"publisher": "publish", "subscriber": "subscribe", "service": "reply",
          "client": "request"}  # fmt: skip


def full_name(name):
    """A name of the policy as sros2 takes it, for a node in the root namespace."""
    if name.startswith("~"):
        return NODE + name[1:]
    return name if name.startswith("/") else f"/{name}"


def granted(right):
    """The full names that the policy allows to publish, subscribe or reply."""
    (profile,) = ET.parse(POLICY).iter("profile")
    assert profile.attrib == {"ns": "/", "node": "poseflow"}
    names = [full_name(e.text) for group in profile if group.get(right) == "ALLOW" for e in group]
    assert len(names) == len(set(names))
    return set(names)


def test_policy_grants_exactly_the_interfaces_of_the_node(driver, active_node):
    active_node(use_sim_time=True)

    def has(what):
        look = getattr(driver.node, f"get_{what}_names_and_types_by_node")
        return {name for name, _ in look("poseflow", "/")}

    def told():
        return all(granted(right) - AT_TIMES <= has(what) for what, right in GRANTS.items())

    driver.until(told, "all that is granted")
    driver.spin(1.0)  # for more than that
    for what, right in GRANTS.items():
        assert has(what) | (AT_TIMES & granted(right)) == granted(right)


def test_sros2_creates_permissions_from_the_policy(tmp_path):
    keystore = pytest.importorskip("sros2.keystore", reason="sros2 is not installed")
    keystore.create_keystore(tmp_path)
    keystore.create_enclave(tmp_path, NODE)
    keystore.create_permission(tmp_path, NODE, POLICY)
    folder = tmp_path / "enclaves" / NODE.strip("/")
    assert (folder / "permissions.p7s").is_file()
    allowed = ET.parse(folder / "permissions.xml").iter("allow_rule")
    names = {
        (kind.tag, topic.text) for rule in allowed for kind in rule for topic in kind.iter("topic")
    }
    assert ("subscribe", "rt/image") in names
    assert ("publish", "rt/poseflow/tracked_poses") in names
    assert ("subscribe", "rq/poseflow/change_stateRequest") in names
    assert ("publish", "rt/image") not in names
