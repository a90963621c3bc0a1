"""Interface packages that no wheel brings, built from definitions with the same names and fields.

Only the messages that the bridges use, and of these all fields.
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

_HEADER = "std_msgs/Header header\n"
_RESULTS = "ObjectHypothesisWithPose[] results\n"
_TIME = "builtin_interfaces/Time timestamp\n"
PACKAGES = {
    "tf2_msgs": {"TFMessage": "geometry_msgs/TransformStamped[] transforms"},
    "hri_msgs": {
        "IdsList": _HEADER + "string[] ids",
        "NormalizedRegionOfInterest2D": _HEADER
        + "float32 xmin\nfloat32 ymin\nfloat32 xmax\nfloat32 ymax\nfloat32 c",
        "NormalizedPointOfInterest2D": "float32 x\nfloat32 y\nfloat32 c",
        "Skeleton2D": _HEADER + "NormalizedPointOfInterest2D[] skeleton",
        "BodyPosture": _HEADER + "uint8 OTHER=0\nuint8 STANDING=1\nuint8 SITTING=2\n"
        "uint8 CROUCHING=3\nuint8 LAYING=4\nuint8 posture",
        "Gesture": _HEADER + "uint8 OTHER=0\nuint8 HANDS_ON_FACE=1\nuint8 ARMS_CROSSED=2\n"
        "uint8 LEFT_HAND_RAISED=3\nuint8 RIGHT_HAND_RAISED=4\nuint8 BOTH_HANDS_RAISED=5\n"
        "uint8 WAVING=6\nuint8 gesture",
    },
    "vision_msgs": {
        "Point2D": "float64 x\nfloat64 y",
        "Pose2D": "Point2D position\nfloat64 theta",
        "BoundingBox2D": "Pose2D center\nfloat64 size_x\nfloat64 size_y",
        "BoundingBox3D": "geometry_msgs/Pose center\ngeometry_msgs/Vector3 size",
        "ObjectHypothesis": "string class_id\nfloat64 score",
        "ObjectHypothesisWithPose": "ObjectHypothesis hypothesis\n"
        "geometry_msgs/PoseWithCovariance pose",
        "Detection2D": _HEADER
        + "ObjectHypothesisWithPose[] results\nBoundingBox2D bbox\nstring id",
        "Detection2DArray": _HEADER + "Detection2D[] detections",
        "Detection3D": _HEADER
        + "ObjectHypothesisWithPose[] results\nBoundingBox3D bbox\nstring id",
        "Detection3DArray": _HEADER + "Detection3D[] detections",
    },
    "people_msgs": {
        "Person": "string name\ngeometry_msgs/Point position\ngeometry_msgs/Point velocity\n"
        "float64 reliability\nstring[] tagnames\nstring[] tags",
        "People": _HEADER + "Person[] people",
    },
    "foxglove_msgs": {
        "Color": "float64 r\nfloat64 g\nfloat64 b\nfloat64 a",
        "Point2": "float64 x\nfloat64 y",
        "PointsAnnotation": _TIME + "uint8 UNKNOWN=0\nuint8 POINTS=1\nuint8 LINE_LOOP=2\n"
        "uint8 LINE_STRIP=3\nuint8 LINE_LIST=4\nuint8 type\nPoint2[] points\n"
        "Color outline_color\nColor[] outline_colors\nColor fill_color\nfloat64 thickness",
        "CircleAnnotation": _TIME + "Point2 position\nfloat64 diameter\nfloat64 thickness\n"
        "Color fill_color\nColor outline_color",
        "TextAnnotation": _TIME + "Point2 position\nstring text\nfloat64 font_size\n"
        "Color text_color\nColor background_color",
        "ImageAnnotations": "CircleAnnotation[] circles\nPointsAnnotation[] points\n"
        "TextAnnotation[] texts",
    },
}
_CMAKE = """cmake_minimum_required(VERSION 3.20)
project({name})
find_package(ament_cmake REQUIRED)
find_package(builtin_interfaces REQUIRED)
find_package(geometry_msgs REQUIRED)
find_package(std_msgs REQUIRED)
# Not rosidl_default_generators: C++ would take most of the time.
find_package(rosidl_cmake REQUIRED)
find_package(rosidl_generator_type_description QUIET)
find_package(rosidl_generator_c REQUIRED)
find_package(rosidl_typesupport_fastrtps_c REQUIRED)
find_package(rosidl_typesupport_introspection_c REQUIRED)
find_package(rosidl_typesupport_c REQUIRED)
find_package(rosidl_generator_py REQUIRED)
rosidl_generate_interfaces(${{PROJECT_NAME}} {files}
  DEPENDENCIES builtin_interfaces geometry_msgs std_msgs)
ament_package()
"""
_PACKAGE_XML = """<package format="3">
  <name>{name}</name><version>0.0.0</version><description>For tests.</description>
  <maintainer email="maintainers@poseflow-ros.invalid">maintainers</maintainer>
  <license>Apache-2.0</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <depend>builtin_interfaces</depend><depend>geometry_msgs</depend><depend>std_msgs</depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
  <export><build_type>ament_cmake</build_type></export>
</package>
"""


def build(folder: Path) -> Path:
    """Build the packages in a folder; return the folder they are installed in."""
    for name, messages in PACKAGES.items():
        source = folder / "src" / name
        (source / "msg").mkdir(parents=True)
        for message, definition in messages.items():
            (source / "msg" / f"{message}.msg").write_text(f"{definition}\n")
        files = " ".join(f"msg/{message}.msg" for message in messages)
        (source / "CMakeLists.txt").write_text(_CMAKE.format(name=name, files=files))
        (source / "package.xml").write_text(_PACKAGE_XML.format(name=name))
    # The libraries find each other, also in a process that began before they were built.
    rpath = "-DCMAKE_INSTALL_RPATH=$ORIGIN;$ORIGIN/../../.."
    python = [f"-DPython3_EXECUTABLE={sys.executable}", f"-DPYTHON_EXECUTABLE={sys.executable}"]
    command = [sys.executable, "-m", "colcon", "--log-base", "log", "build", "--merge-install"]
    subprocess.run(
        [*command, "--cmake-args", rpath, *python, "-DBUILD_TESTING=OFF"], cwd=folder, check=True
    )
    return folder / "install"


def use(prefix: Path) -> None:
    """Make installed packages importable in this process and in those that it starts."""
    (site,) = prefix.glob("lib/python3*/site-packages")
    sys.path.insert(0, str(site))
    for name, folder in (
        ("PYTHONPATH", site), ("LD_LIBRARY_PATH", prefix / "lib"), ("AMENT_PREFIX_PATH", prefix)
    ):  # fmt: skip
        os.environ[name] = os.pathsep.join(filter(None, (str(folder), os.environ.get(name))))
    # The loader read LD_LIBRARY_PATH when the process began; what is loaded it finds by name.
    for library in sorted((prefix / "lib").glob("*_c.so")):
        ctypes.CDLL(str(library))
