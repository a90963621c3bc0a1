"""Start the PoseFlow node, configured and activated: images in, tracked poses out."""

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

from launch import LaunchDescription

SHARE = FindPackageShare("poseflow_ros")

ARGUMENTS = (
    ("params_file", PathJoinSubstitution([SHARE, "config", "poseflow.yaml"]), "YAML of the node"),
    ("namespace", "", "namespace of the node"),
    ("image_topic", "image", "images to look at"),
    ("camera_info_topic", "camera_info", "calibration of the camera"),
    ("depth_topic", "depth", "depth images registered to the images, where there are any"),
    ("autostart", "true", "configure and activate; false leaves that to a lifecycle manager"),
    ("use_sim_time", "false", "follow /clock"),
    ("rviz", "false", "show images and markers in RViz"),
    ("log_level", "info", "debug, info, warn, error or fatal"),
)


def generate_launch_description() -> LaunchDescription:
    """Return the node, its transitions and RViz."""
    use_sim_time = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    remappings = [
        ("image", LaunchConfiguration("image_topic")),
        ("camera_info", LaunchConfiguration("camera_info_topic")),
        ("depth", LaunchConfiguration("depth_topic")),
    ]
    poseflow = LifecycleNode(
        package="poseflow_ros",
        executable="poseflow_node",
        name="poseflow",
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), {"use_sim_time": use_sim_time}],
        remappings=remappings,
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", PathJoinSubstitution([SHARE, "config", "poseflow.rviz"])],
        parameters=[{"use_sim_time": use_sim_time}],
        remappings=remappings,
        condition=IfCondition(LaunchConfiguration("rviz")),
    )

    def change(transition: int) -> EmitEvent:
        matcher = matches_action(poseflow)
        event = ChangeState(lifecycle_node_matcher=matcher, transition_id=transition)
        return EmitEvent(event=event, condition=IfCondition(LaunchConfiguration("autostart")))

    configure_at_start = RegisterEventHandler(
        OnProcessStart(target_action=poseflow, on_start=[change(Transition.TRANSITION_CONFIGURE)])
    )
    activate_when_configured = RegisterEventHandler(
        OnStateTransition(
            target_lifecycle_node=poseflow,
            start_state="configuring",
            goal_state="inactive",
            entities=[change(Transition.TRANSITION_ACTIVATE)],
        )
    )
    say_when_not = RegisterEventHandler(
        OnStateTransition(
            target_lifecycle_node=poseflow,
            start_state="configuring",
            goal_state="unconfigured",
            entities=[LogInfo(msg="poseflow could not be configured: the line above says why")],
        )
    )
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=default, description=description)
              for name, default, description in ARGUMENTS),
            configure_at_start,
            activate_when_configured,
            say_when_not,
            poseflow,
            rviz,
        ]
    )  # fmt: skip
