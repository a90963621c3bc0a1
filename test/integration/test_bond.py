"""The bond with nav2's lifecycle manager; the tests implement the manager's end."""

import sys
import threading

import pytest

from poseflow_ros.ros.bond import ManagerBond

# An error in one of bondpy's threads is an error.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


class Manager:
    """The manager's end of the bond with one node."""

    def __init__(self, driver, name):
        bondpy = pytest.importorskip("bondpy.bondpy")
        self.driver, self.formed, self.broken = driver, [], []
        self._bond = bondpy.Bond(
            driver.node,
            "bond",
            name,
            on_formed=lambda: self.formed.append(name),
            on_broken=lambda: self.broken.append(name),
        )
        # The manager takes 4 s; more here, so that only a notification breaks a bond.
        self._bond.heartbeat_timeout, self._bond.heartbeat_period = 3600.0, 0.25
        self._bond.start()

    def meets(self):
        self.driver.until(lambda: self.formed, "the node's heartbeat")
        assert not self.broken

    def is_notified(self):
        self.driver.until(lambda: self.broken, "the end of the bond")
        self.driver.node.destroy_subscription(self._bond.sub)
        self._bond.shutdown()
        self.driver.node.destroy_publisher(self._bond.pub)


class Bond:
    """The node's end, started and stopped by the executor's thread, as transitions do."""

    def __init__(self, driver, node):
        self._driver, self._node, self._bond = driver, node, ManagerBond(node)

    def start(self):
        self._by_executor(self._bond.start)

    def stop(self):
        self._by_executor(self._bond.stop)

    def _by_executor(self, call):
        task = self._node.executor.create_task(call)
        self._driver.until(task.done, call.__name__)
        task.result()


@pytest.fixture
def bond(driver, bare_node):
    pytest.importorskip(
        "bondpy.bondpy", reason="bondpy does not import: it comes with ROS, not PyPI"
    )
    return Bond(driver, bare_node)


def listen(driver):
    from bond.msg import Status

    return driver.listen(Status, "bond")


def test_no_bond_without_bondpy(bare_node, monkeypatch):
    for name in ("bondpy", "bondpy.bondpy"):
        monkeypatch.setitem(sys.modules, name, None)
    bond = ManagerBond(bare_node)
    bond.start()
    assert bare_node.count_publishers("/bond") == 0
    bond.stop()


def test_stop_notifies_the_manager(driver, bare_node, bond):
    bond.start()
    manager = Manager(driver, "bare")
    manager.meets()
    bond.stop()
    manager.is_notified()
    bond.stop()


def test_reactivated_node_starts_a_new_bond(driver, bare_node, bond, capfd):
    for _ in range(3):
        bond.start()
        manager = Manager(driver, "bare")
        manager.meets()
        driver.spin(0.5)
        bond.stop()
        manager.is_notified()
    assert not capfd.readouterr().err


def test_node_survives_the_death_of_the_manager(driver, bond):
    heard = listen(driver)
    from bond.msg import Status

    manager = driver.node.create_publisher(Status, "bond", 10)
    bond.start()
    driver.until(manager.get_subscription_count, "the node")
    for _ in range(3):
        manager.publish(Status(id="bare", instance_id="the manager", active=True))
        driver.spin(0.2)
    # bondpy's own patience is 4 s, nav2's as well.
    driver.spin(5.0)
    heard.clear()
    driver.until(lambda: len(heard) > 2, "heartbeats")
    assert all(status.active for status in heard)
    bond.stop()


def test_bond_stops_without_a_manager(driver, bare_node, bond, capfd):
    heard = listen(driver)
    bond.start()
    driver.until(lambda: heard, "a heartbeat")
    assert heard[0].id == "bare"
    driver.spin(10.5)
    heard.clear()
    driver.spin(1.0)
    assert not heard
    bond.stop()
    assert not capfd.readouterr().err


def test_fifty_cycles_leak_nothing(driver, bare_node, bond):
    def entities():
        return [len(list(e)) for e in (bare_node.subscriptions, bare_node.publishers)]

    before, threads = entities(), threading.active_count()
    for _ in range(50):
        bond.start()
        bond.stop()
    assert entities() == before
    driver.until(lambda: threading.active_count() == threads, "the last thread to end")
