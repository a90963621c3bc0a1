"""Under a lifecycle manager such as nav2's, without a bond: what it asks for, in its order."""

import pytest

# What the manager asks of a node at each of its commands, and the state that it then looks for.
COMMANDS = {
    "startup": [("configure", "inactive"), ("activate", "active")],
    "pause": [("deactivate", "inactive")],
    "resume": [("activate", "active")],
    "reset": [("deactivate", "inactive"), ("cleanup", "unconfigured")],
    "shutdown": [
        ("deactivate", "inactive"),
        ("cleanup", "unconfigured"),
        ("shutdown unconfigured", "finalized"),
    ],
}


def command(driver, name):
    """Do as the manager does at a command; return the transitions that failed.

    It gives a command up at the first failure, except for a shutdown.
    """
    failed = []
    for transition, state in COMMANDS[name]:
        if not driver.change(transition) or driver.state() != state:
            failed.append(transition)
            if name != "shutdown":
                break
    return failed


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param(["startup", "shutdown"], id="once"),
        pytest.param(["startup", "pause", "resume", "shutdown"], id="with a pause"),
        pytest.param(["startup", "reset", "startup", "shutdown"], id="after a reset"),
    ],
)
def test_every_command_succeeds(driver, start_node, commands):
    start_node(movenet__input_size=256)
    for name in commands:
        assert not command(driver, name), name
    assert driver.state() == "finalized"


@pytest.mark.parametrize(
    ("parameters", "commands", "failed"),
    [
        pytest.param({}, ["startup", "pause"], ["deactivate"], id="paused"),
        pytest.param({}, ["startup", "reset"], ["deactivate", "cleanup"], id="reset"),
        pytest.param({}, [], ["deactivate", "cleanup"], id="never started"),
        pytest.param(
            {"movenet.input_size": 100},
            ["startup"],
            ["deactivate", "cleanup"],
            id="one that could not be configured",
        ),
    ],
)
def test_shutdown_transition_works_on_an_inactive_node(
    driver, start_node, parameters, commands, failed
):
    start_node(**({"movenet__input_size": 256} | parameters))
    for name in commands:
        assert command(driver, name) == (["configure"] if parameters else [])
    # Not active, it cannot be deactivated; the manager takes note and goes on.
    assert command(driver, "shutdown") == failed
    assert driver.state() == "finalized"
