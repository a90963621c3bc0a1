"""Install poseflow_ros as an ament_python package."""

from pathlib import Path

from setuptools import find_packages, setup


def _files(folder: str) -> list[str]:
    return sorted(str(path) for path in Path(folder).iterdir() if path.is_file())


def _definitions() -> list[str]:
    return sorted(str(path) for path in Path("poseflow_msgs/msg").glob("*.msg"))


setup(
    name="poseflow_ros",
    version="0.1.0",
    # Benchmarks run from the source checkout; robots do not have them.
    packages=find_packages(
        include=["poseflow_ros", "poseflow_ros.*"],
        exclude=["poseflow_ros.bench", "poseflow_ros.bench.*"],
    ),
    package_data={"poseflow_ros": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/poseflow_ros"]),
        ("share/poseflow_ros", ["package.xml"]),
        ("share/poseflow_ros/config", _files("config")),
        ("share/poseflow_ros/launch", _files("launch")),
        # For `track --bag` where this package is installed without ROS.
        ("share/poseflow_ros/msg", _definitions()),
    ],
    # numpy, scipy, OpenCV and the rest come from rosdep (package.xml), so that the
    # distribution's own builds are never shadowed by pip's. These have no rosdep key.
    install_requires=["setuptools", "av", "pooch", "simplejpeg"],
    python_requires=">=3.10",
    zip_safe=True,
    maintainer="poseflow_ros maintainers",
    maintainer_email="maintainers@poseflow-ros.invalid",
    description="Multi-person pose estimation and tracking, 2D and 3D, for ROS 2.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "bridge_node = poseflow_ros.ros.bridge_node:main",
            "action_node = poseflow_ros.ros.action_node:main",
            "poseflow_node = poseflow_ros.ros.node:main",
            "video_publisher = poseflow_ros.ros.video_publisher:main",
        ]
    },
)
