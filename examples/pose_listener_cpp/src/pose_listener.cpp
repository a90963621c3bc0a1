// Log the people in every image: a subscriber of poseflow_msgs/TrackedPoseArray.

#include <memory>

#include <poseflow_msgs/msg/tracked_pose_array.hpp>
#include <rclcpp/rclcpp.hpp>

using poseflow_msgs::msg::TrackedPose;
using poseflow_msgs::msg::TrackedPoseArray;

class PoseListener : public rclcpp::Node
{
public:
  PoseListener() : Node("pose_listener")
  {
    subscription_ = create_subscription<TrackedPoseArray>(
      "tracked_poses", 10, [this](const TrackedPoseArray & message) {on_poses(message);});
  }

private:
  // Log a line for each confirmed person; track ids are unique in a camera's epoch.
  void on_poses(const TrackedPoseArray & message) const
  {
    const char * camera = message.camera.empty() ? "camera" : message.camera.c_str();
    for (const TrackedPose & person : message.poses) {
      if (person.state == TrackedPose::STATE_CONFIRMED) {
        const auto & nose = person.keypoints.at(0);  // the order of the keypoints: ~/skeleton
        RCLCPP_INFO(
          get_logger(), "%s epoch %u id %u: nose at %.0f, %.0f px", camera,
          static_cast<unsigned>(message.epoch), static_cast<unsigned>(person.track_id),
          nose.x, nose.y);
      }
    }
  }

  rclcpp::Subscription<TrackedPoseArray>::SharedPtr subscription_;
};

int main(int argc, char ** argv)
{
  rclcpp::init(argc, argv);
  rclcpp::spin(std::make_shared<PoseListener>());
  rclcpp::shutdown();
  return 0;
}
