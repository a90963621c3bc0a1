"""Launch actions shared by the launch files: the PoseFlow node, its transitions, and RViz."""

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

# A GPU that was reset is back by then.
_RESPAWN_DELAY_S = 5.0

_ARGUMENTS = (
    ("namespace", "", "namespace of the node"),
    ("autostart", "true", "configure and activate the node; false: a lifecycle manager does"),
    ("use_sim_time", "false", "use /clock"),
    ("log_level", "info", "debug, info, warn, error or fatal"),
)


# Of nodes that process tracked poses.
POSES_TOPIC = DeclareLaunchArgument(
    "poses_topic",
    default_value="poseflow/tracked_poses",
    description="tracked poses of a single camera; several: poses.topics in params_file",
)
POSES_REMAPPING = ("tracked_poses", LaunchConfiguration("poses_topic"))


def node_arguments(params_file: str) -> list[Any]:
    """Return the launch arguments of a node whose default parameters are in this file."""
    path = PathJoinSubstitution([SHARE, "config", params_file])
    arguments = [("params_file", path, "YAML file with the parameters of the node"), *_ARGUMENTS]
    return [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in arguments
    ]


def declare_arguments() -> list[Any]:
    """Return the launch arguments that `bring_up` needs."""
    rviz = DeclareLaunchArgument(
        "rviz", default_value="false", description="show images and markers in RViz"
    )
    return [*node_arguments("poseflow.yaml"), rviz]


def bring_up(
    remappings: Iterable[tuple[str, Any]], parameters: Mapping[str, Any] | None = None
) -> list[Any]:
    """Return the PoseFlow node, its transitions at start and RViz, by the launch arguments.

    Args:
        remappings: (from, to) topic names, for the node and RViz.
        parameters: of the node; they override `params_file`.
    """
    remapped = list(remappings)
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        remappings=remapped,
        arguments=["-d", PathJoinSubstitution([SHARE, "config", "poseflow.rviz"])],
        parameters=[_sim_time()],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    node = bring_up_node("poseflow_node", "poseflow", remapped, parameters, respawn=True)
    return [*node, rviz]


def bring_up_node(
    executable: str,
    name: str,
    remappings: Iterable[tuple[str, Any]],
    parameters: Mapping[str, Any] | None = None,
    respawn: bool = False,
) -> list[Any]:
    """Return a lifecycle node and its transitions at start, by the launch arguments.

    Args:
        executable: of this package.
        name: of the node.
        remappings: (from, to) of topics.
        parameters: of the node; they override those of `params_file`.
        respawn: start the process again when it ends, as it does when its GPU is lost.
    """
    node = LifecycleNode(
        package="poseflow_ros",
        executable=executable,
        name=name,
        namespace=LaunchConfiguration("namespace"),
        remappings=list(remappings),
        parameters=[LaunchConfiguration("params_file"), _sim_time() | dict(parameters or {})],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
        respawn=respawn,
        respawn_delay=_RESPAWN_DELAY_S,
    )
    return [*_transitions(node, name), node]


def _sim_time() -> dict[str, Any]:
    return {"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}


def _transitions(node: LifecycleNode, name: str) -> list[Any]:
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
    explain = LogInfo(msg=f"{name} could not be configured; see the error above")
    at_start = OnProcessStart(target_action=node, on_start=[configure])
    return [
        RegisterEventHandler(at_start, condition=autostart),
        RegisterEventHandler(after_configuring("inactive", activate), condition=autostart),
        RegisterEventHandler(after_configuring("unconfigured", explain)),
    ]
