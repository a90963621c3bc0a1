"""Actions that the launch files share: the PoseFlow node, its transitions, and RViz."""

from collections.abc import Iterable, Mapping
from typing import Any

from launch.actions import DeclareLaunchArgument, EmitEvent, LogInfo, RegisterEventHandler
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition

SHARE = FindPackageShare("poseflow_ros")

_ARGUMENTS = (
    (
        "params_file",
        PathJoinSubstitution([SHARE, "config", "poseflow.yaml"]),
        "YAML file with the parameters of the node",
    ),
    ("namespace", "", "namespace of the node"),
    ("autostart", "true", "configure and activate the node; false: a lifecycle manager does"),
    ("use_sim_time", "false", "use /clock"),
    ("rviz", "false", "show images and markers in RViz"),
    ("log_level", "info", "debug, info, warn, error or fatal"),
)


def declare_arguments() -> list[Any]:
    """Return the launch arguments that `bring_up` needs."""
    return [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in _ARGUMENTS
    ]


def bring_up(
    remappings: Iterable[tuple[str, Any]], parameters: Mapping[str, Any] | None = None
) -> list[Any]:
    """Return the node, its transitions at start and RViz, according to the launch arguments.

    Args:
        remappings: (from, to) of topics, for node and RViz.
        parameters: of the node; they override those of `params_file`.
    """
    shared = {
        "namespace": LaunchConfiguration("namespace"),
        "remappings": list(remappings),
    }
    sim_time = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    own = {"use_sim_time": sim_time}
    poseflow = LifecycleNode(
        package="poseflow_ros",
        executable="poseflow_node",
        name="poseflow",
        parameters=[LaunchConfiguration("params_file"), own | dict(parameters or {})],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
        **shared,
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", PathJoinSubstitution([SHARE, "config", "poseflow.rviz"])],
        parameters=[own],
        condition=IfCondition(LaunchConfiguration("rviz")),
        **shared,
    )
    return [*transitions(poseflow), poseflow, rviz]


def transitions(node: LifecycleNode) -> list[Any]:
    """Return the actions that configure and activate a node if `autostart` is true."""
    # Evaluated here: when an event arrives, the scope of an enclosing group has ended.
    autostart = IfCondition(LaunchConfiguration("autostart"))
    matcher = matches_action(node)

    def change(transition: int) -> EmitEvent:
        event = ChangeState(lifecycle_node_matcher=matcher, transition_id=transition)
        return EmitEvent(event=event)

    def after_configuring(state: str, entity: Any) -> OnStateTransition:
        return OnStateTransition(
            target_lifecycle_node=node,
            start_state="configuring",
            goal_state=state,
            entities=[entity],
        )

    configure = change(Transition.TRANSITION_CONFIGURE)
    activate = change(Transition.TRANSITION_ACTIVATE)
    explain = LogInfo(msg=f"{node.node_name} could not be configured; see the error above")
    at_start = OnProcessStart(target_action=node, on_start=[configure])
    return [
        RegisterEventHandler(at_start, condition=autostart),
        RegisterEventHandler(after_configuring("inactive", activate), condition=autostart),
        RegisterEventHandler(after_configuring("unconfigured", explain)),
    ]
