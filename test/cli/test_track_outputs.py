"""The outputs of `track` for data sets and viewers, and packages that are missing."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from made_bag import camera_info_message, compressed_message, image_message, make_bag
from made_recording import N_FRAMES, RATE_HZ, SIZE, corner, make_detections, sightings

from poseflow_ros.__main__ import main
from poseflow_ros.cli.errors import CommandError
from poseflow_ros.cli.writers.coco import CocoWriter
from poseflow_ros.cli.writers.message_definitions import MessageDefinitions, message_folder
from poseflow_ros.cli.writers.posetrack import posetrack_keypoints
from poseflow_ros.imaging.source import Source
from poseflow_ros.poses import Poses
from poseflow_ros.skeletons.crowdpose14 import CROWDPOSE_14
from poseflow_ros.skeletons.halpe26 import HALPE_26

ROOT = Path(__file__).resolve().parents[2]
FIRST_NUMBER = 100


def made_image(index):
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    return np.roll(noise, index, axis=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of numbered images, the same images in a bag, and poses."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "images" / "000342_mpii").mkdir(parents=True)
    messages = []
    for i in range(N_FRAMES):
        _, png = cv2.imencode(".png", made_image(i))
        (folder / f"images/000342_mpii/{FIRST_NUMBER + i:06d}.png").write_bytes(png)
        messages.append(("/image", 100 + i / RATE_HZ, compressed_message(png, 100 + i / RATE_HZ)))
    make_bag(folder / "bag", messages)
    make_detections(folder / "poses.npz")
    return folder


def track(made, source, *options):
    # Classic association confirms everybody at once: the results are the detections.
    arguments = ["track", str(made / source), "--detections", str(made / "poses.npz")]
    return main([*arguments, "--association", "classic", *map(str, options)])


def images(made, *options):
    return track(made, "images/000342_mpii", "--rate", RATE_HZ, *options)


def test_a_bag_gives_the_same_people_as_a_folder_of_its_images(made, tmp_path):
    assert images(made, "--mot", tmp_path / "folder.txt") == 0
    assert track(made, "bag", "--mot", tmp_path / "bag.txt") == 0
    assert (tmp_path / "folder.txt").read_text() == (tmp_path / "bag.txt").read_text()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_table_has_a_row_for_each_person_and_image(suffix, made, tmp_path):
    path = tmp_path / f"people{suffix}"
    assert track(made, "bag", "--table", path) == 0
    rows = read_table(path)
    found = sorted(sightings())
    assert [(row["frame"], row["track_id"]) for row in rows] == found
    for row, (frame, who) in zip(rows, found, strict=True):
        assert row["stamp_ns"] == round((100 + frame / RATE_HZ) * 1e9)
        assert (row["epoch"], row["state"]) == (1, "confirmed")
        (x, y), (width, height) = corner(who, frame), SIZE
        assert [row[name] for name in ("x1", "y1", "x2", "y2")] == [x, y, x + width, y + height]
        assert row["nose_x"] == pytest.approx(x + 0.1 * width)
        assert row["right_ankle_score"] == pytest.approx(0.9)


def read_table(path):
    if path.suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        return parquet.read_table(path).to_pylist()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {k: v if k in ("state", "frame_3d") else float(v) for k, v in row.items()} for row in rows
    ]


def test_coco_results_name_the_images_by_their_numbers(made, tmp_path):
    assert images(made, "--coco", tmp_path / "coco.json") == 0
    people = json.loads((tmp_path / "coco.json").read_text())
    assert [p["image_id"] for p in people] == [FIRST_NUMBER + f for f, _ in sorted(sightings())]
    frame, who = max(sightings())
    person, (x, y) = people[-1], corner(who, frame)
    assert (person["category_id"], person["score"]) == (1, 0.9)
    assert person["bbox"] == [x, y, *SIZE]
    assert len(person["keypoints"]) == 51
    assert person["keypoints"][:3] == pytest.approx([x + 0.1 * SIZE[0], y + 0.1 * SIZE[1], 0.9])


def test_empty_coco_results_are_a_list(made, tmp_path):
    np.savez(
        tmp_path / "nobody.npz", frame=[], box=np.zeros((0, 4)), score=[],
        keypoints=np.zeros((0, 17, 3)), n_frames=N_FRAMES,
    )  # fmt: skip
    options = ["--detections", str(tmp_path / "nobody.npz"), "--coco", str(tmp_path / "c.json")]
    assert main(["track", str(made / "bag"), *options]) == 0
    assert json.loads((tmp_path / "c.json").read_text()) == []


def test_coco_results_of_a_skeleton_without_its_keypoints_are_one_line(tmp_path):
    with pytest.raises(CommandError, match="skeleton crowdpose14 has no left_ear, left_eye"):
        CocoWriter(tmp_path / "c.json", Source("", 1.0, 0, iter(())), CROWDPOSE_14)
    assert not list(tmp_path.iterdir())


def test_posetrack_annotations_refer_to_the_images(made, tmp_path):
    assert images(made, "--posetrack", tmp_path / "posetrack.json") == 0
    document = json.loads((tmp_path / "posetrack.json").read_text())
    names = [image["file_name"] for image in document["images"]]
    assert len(names) == N_FRAMES
    assert names[0].endswith("images/000342_mpii/000100.png")
    assert len(document["categories"][0]["keypoints"]) == 17
    frames = {image["id"]: index for index, image in enumerate(document["images"])}
    annotations = document["annotations"]
    assert [(frames[a["image_id"]], a["track_id"]) for a in annotations] == sorted(sightings())
    assert len({a["id"] for a in annotations}) == len(annotations)
    for annotation in annotations:
        assert (len(annotation["keypoints"]), len(annotation["scores"])) == (51, 17)


def poses(skeleton, points):
    """Return the poses of one person with these keypoints, others at (0, 0) with score 0."""
    keypoints = np.zeros((1, skeleton.n_keypoints, 2))
    scores = np.zeros((1, skeleton.n_keypoints))
    for name, (x, y, score) in points.items():
        index = skeleton.keypoint_names.index(name)
        keypoints[0, index], scores[0, index] = (x, y), score
    return Poses(keypoints, scores, np.zeros((1, 4)), np.ones(1))


def test_ends_of_the_head_are_taken_from_the_skeleton_that_has_them():
    halpe = poses(HALPE_26, {"nose": (5, 6, 0.9), "neck": (1, 2, 0.5), "head": (3, 4, 0.6)})
    assert posetrack_keypoints(halpe, HALPE_26)[0, :3].tolist() == [
        [5, 6, 0.9], [1, 2, 0.5], [3, 4, 0.6]
    ]  # fmt: skip
    crowd = poses(CROWDPOSE_14, {"neck": (1, 2, 0.5), "top_head": (3, 4, 0.6)})
    assert posetrack_keypoints(crowd, CROWDPOSE_14)[0, :3].tolist() == [
        [0, 0, 0], [1, 2, 0.5], [3, 4, 0.6]
    ]  # fmt: skip


def test_ends_of_the_head_are_estimated_from_shoulders_and_nose(made, tmp_path):
    assert images(made, "--posetrack", tmp_path / "posetrack.json") == 0
    person = json.loads((tmp_path / "posetrack.json").read_text())["annotations"][0]
    points = np.reshape(person["keypoints"], (17, 3))[:, :2]
    bottom = (points[5] + points[6]) / 2
    np.testing.assert_allclose(points[1], bottom, atol=0.02)
    np.testing.assert_allclose(points[2], 2 * points[0] - bottom, atol=0.02)


def test_a_bag_is_readable_with_its_own_definitions(made, tmp_path):
    highlevel = pytest.importorskip("rosbags.highlevel")
    assert images(made, "--bag", tmp_path / "out.mcap", "--bag-images") == 0
    with highlevel.AnyReader([tmp_path / "out.mcap"]) as reader:
        counts = {c.topic: (c.msgtype, c.msgcount) for c in reader.connections}
        received = [
            (received_ns, reader.deserialize(data, connection.msgtype))
            for connection, received_ns, data in reader.messages()
            if connection.topic == "/poseflow/tracked_poses"
        ]
        (jpeg,) = [
            reader.deserialize(data, connection.msgtype)
            for connection, received_ns, data in reader.messages()
            if connection.topic == "/poseflow/annotated/compressed" and received_ns == 0
        ]
    assert counts == {
        "/poseflow/skeleton": ("poseflow_msgs/msg/SkeletonDefinition", 1),
        "/poseflow/tracked_poses": ("poseflow_msgs/msg/TrackedPoseArray", N_FRAMES),
        "/poseflow/markers": ("visualization_msgs/msg/MarkerArray", N_FRAMES),
        "/poseflow/annotated/compressed": ("sensor_msgs/msg/CompressedImage", N_FRAMES),
    }
    for index, (received_ns, message) in enumerate(received):
        stamp = message.header.stamp
        assert received_ns == stamp.sec * 10**9 + stamp.nanosec == index * 10**9 // RATE_HZ
        assert [(index, pose.track_id) for pose in message.poses] == [
            row for row in sorted(sightings()) if row[0] == index
        ]
    assert cv2.imdecode(jpeg.data, cv2.IMREAD_COLOR).shape == (120, 160, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mcap"]


def test_hashes_of_the_definitions_are_those_of_ros():
    definitions, n_compared = MessageDefinitions(), 0
    for path in ROOT.glob("install/poseflow_msgs/share/poseflow_msgs/msg/*.json"):
        for known in json.loads(path.read_text())["type_hashes"]:
            n_compared += 1
            ours = definitions.store.hash_rihs01(known["type_name"])
            assert ours == known["hash_string"], known["type_name"]
    if not n_compared:
        pytest.skip("poseflow_msgs is not built")


def test_definitions_are_found_in_a_workspace_and_in_the_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    assert message_folder() == ROOT / "poseflow_msgs" / "msg"
    installed = tmp_path / "share" / "poseflow_msgs" / "msg"
    installed.mkdir(parents=True)
    (installed / "TrackedPoseArray.msg").touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{tmp_path}")
    assert message_folder() == installed


def test_a_bag_after_a_jump_back_ends_everybody(tmp_path):
    messages = [("/image", 10.0 + i, image_message(made_image(i), t))
                for i, t in enumerate([50.0, 50.1, 50.2, 20.0, 20.1])]  # fmt: skip
    bag = make_bag(tmp_path / "bag", messages)
    make_detections(tmp_path / "poses.npz", n_frames=5)
    options = [f"--detections={tmp_path / 'poses.npz'}", f"--bag={tmp_path / 'out.mcap'}"]
    assert main(["track", str(bag), "--association=classic", *options]) == 0
    highlevel = pytest.importorskip("rosbags.highlevel")
    with highlevel.AnyReader([tmp_path / "out.mcap"]) as reader:
        arrays = [
            reader.deserialize(data, c.msgtype)
            for c, _, data in reader.messages()
            if c.topic == "/poseflow/tracked_poses"
        ]
    arrays.sort(key=lambda array: array.sequence)
    assert [array.epoch for array in arrays] == [1, 1, 1, 1, 2, 2]
    assert [pose.state for pose in arrays[3].poses] == [3, 3]
    assert arrays[3].header.stamp.sec == 50


def test_a_rerun_recording_has_images_people_and_lanes(made, tmp_path):
    pytest.importorskip("rerun", reason="rerun does not import: pip install rerun-sdk")
    assert images(made, "--rrd", tmp_path / "out.rrd") == 0
    command = [sys.executable, "-m", "rerun", "rrd", "print", "-v", tmp_path / "out.rrd"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    for entity in ("/image", "/image/boxes", "/image/skeletons", "/image/keypoints",
                   "/identities/1", "/identities/2"):  # fmt: skip
        assert entity in result.stdout


@pytest.fixture(scope="module")
def with_depth(made, tmp_path_factory):
    """A bag with the images, a calibration, and depth images: everybody is 2 m away."""
    stamps_and_depths = [(1.0 + i, 2000) for i in range(N_FRAMES)]
    return make_depth_bag(tmp_path_factory.mktemp("depth") / "bag", stamps_and_depths)


def make_depth_bag(path, stamps_and_depths):
    """Write a bag with an image at each stamp, in which everybody is at this depth (mm)."""
    messages = []
    for i, (stamp_s, depth_mm) in enumerate(stamps_and_depths):
        depth = np.full((120, 160), depth_mm, np.uint16)
        messages += [
            ("/c/camera_info", stamp_s, camera_info_message((120, 160), 150.0, stamp_s)),
            ("/c/depth", stamp_s, image_message(depth, stamp_s, "16UC1")),
            ("/c/image", stamp_s, image_message(made_image(i), stamp_s)),
        ]
    return make_bag(path, messages)


def in_3d(made, bag, *options):
    return track(made, bag, "--topic", "c/image", "--depth", "c/depth", *options)


def test_a_rerun_recording_of_a_bag_with_depth_has_positions(made, with_depth, tmp_path):
    pytest.importorskip("rerun", reason="rerun does not import: pip install rerun-sdk")
    assert in_3d(made, with_depth, "--rrd", tmp_path / "out.rrd") == 0
    command = [sys.executable, "-m", "rerun", "rrd", "print", "-v", tmp_path / "out.rrd"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "/positions" in result.stdout


def nose_in_3d(who, frame):
    """The nose of somebody 2 m away: a lens of 150 px with its centre in the image's."""
    (x, y), (width, height) = corner(who, frame), SIZE
    u, v = x + 0.1 * width - 79.5, y + 0.1 * height - 59.5
    return [2.0 * u / 150.0, 2.0 * v / 150.0, 2.0]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_table_of_a_bag_with_depth_has_positions_in_metres(suffix, made, with_depth, tmp_path):
    path = tmp_path / f"people{suffix}"
    assert in_3d(made, with_depth, "--table", path) == 0
    rows = read_table(path)
    assert len(rows) == len(sightings())
    for row, (frame, who) in zip(rows, sorted(sightings()), strict=True):
        assert row["frame_3d"] == "camera"
        assert row["position_z_m"] == pytest.approx(2.0, abs=1e-3)
        nose = [row[f"nose_{axis}_m"] for axis in "xyz"]
        assert nose == pytest.approx(nose_in_3d(who, frame), abs=0.01)
        assert row["nose_stddev_m"] > 0


def test_the_json_of_a_bag_with_depth_has_positions_in_metres(made, with_depth, tmp_path):
    assert in_3d(made, with_depth, "--json", tmp_path / "out.json") == 0
    frames = json.loads((tmp_path / "out.json").read_text())["frames"]
    assert {frame["frame_3d"] for frame in frames} == {"camera"}
    for frame in frames:
        for person in frame["people"]:
            x, y, z, stddev = person["keypoints_3d"][0]
            expected = nose_in_3d(person["track_id"], frame["frame"])
            assert [x, y, z] == pytest.approx(expected, abs=0.01)
            assert stddev > 0
            assert person["position"][2] == pytest.approx(2.0, abs=1e-3)
    # A velocity needs two images.
    assert [p["velocity_3d"] is None for p in frames[0]["people"]] == [True]


def test_behaviors_in_the_json_of_a_bag_use_the_depth(made, tmp_path):
    stamps_and_depths = [(1.0 + i / RATE_HZ, 4000 - 100 * i) for i in range(N_FRAMES)]
    bag = make_depth_bag(tmp_path / "bag", stamps_and_depths)
    params, out = tmp_path / "params.yaml", tmp_path / "out.json"
    params.write_text("/**: {ros__parameters: {markers: {behaviors: true}}}")
    assert in_3d(made, bag, "--params", params, "--json", out) == 0
    assert ["approaching" in person["behaviors"] for person in last_people(out)] == [True, True]
    assert track(made, bag, "--topic", "c/image", "--params", params, "--json", out) == 0
    assert ["approaching" in person["behaviors"] for person in last_people(out)] == [False, False]


def last_people(path):
    return json.loads(path.read_text())["frames"][-1]["people"]


def test_people_without_depth_have_no_positions(made, with_depth, tmp_path):
    assert track(made, with_depth, "--topic", "c/image", "--json", tmp_path / "out.json") == 0
    (frame, *_) = json.loads((tmp_path / "out.json").read_text())["frames"]
    assert "frame_3d" not in frame
    assert "position" not in frame["people"][0]


@pytest.mark.parametrize(
    ("option", "missing", "line"),
    [
        pytest.param(
            "--table=t.parquet", "pyarrow", "it needs the package pyarrow; to install it: ",
            id="parquet",
        ),
        pytest.param(
            "--rrd=t.rrd", "rerun", "it needs the package rerun-sdk; to install it: ", id="rerun"
        ),
        pytest.param(
            "--bag=t.mcap", "rosbags.typesys", "bags need the package rosbags; to install it: ",
            id="bag",
        ),
    ],
)  # fmt: skip
def test_a_missing_package_is_one_line(option, missing, line, made, monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, missing, None)
    assert images(made, option) == 2
    err = capfd.readouterr().err
    assert line in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "line"),
    [
        pytest.param(["--table=t.xlsx"], "the name must end in .csv or .parquet", id="table"),
        pytest.param(["--bag=t.bag"], "the name must end in .mcap", id="bag"),
        pytest.param(
            ["--bag-images"],
            "--bag-images needs --bag",
            id="images without a bag",
        ),
        pytest.param(
            ["--depth=/d"],
            "--depth and --camera-info need --bag, --rrd, --json or --table",
            id="depth without a bag",
        ),
        pytest.param(
            ["--depth=/d", "--bag=out.mcap"],
            "--depth and --camera-info need a bag; ",
            id="depth of a folder",
        ),
        pytest.param(["--topic=/image"], "a topic needs a bag; ", id="topic"),
    ],
)
def test_outputs_that_cannot_be_written_are_one_line(
    options, line, made, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    assert images(made, *options) == 2
    err = capfd.readouterr().err
    assert line in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_people_of_a_truncated_bag_are_located(made, tmp_path):
    highlevel = pytest.importorskip("rosbags.highlevel")
    messages = []
    for i in range(N_FRAMES):
        stamp_s, distance_mm = 1.0 + i, 2000 + 100 * i
        depth = np.full((120, 160), distance_mm, np.uint16)
        messages += [
            ("/c/image", stamp_s, image_message(made_image(i), stamp_s)),
            ("/c/camera_info", stamp_s, camera_info_message((120, 160), 150.0, stamp_s)),
            ("/c/depth", stamp_s, image_message(depth, stamp_s, "16UC1")),
            ("/noise", stamp_s, image_message(np.zeros((700, 700, 3), np.uint8), stamp_s)),
        ]
    file = make_bag(tmp_path / "bag", messages) / "bag.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    options = ["--detections", str(made / "poses.npz"), "--association", "classic"]
    options += ["--topic", "c/image", "--depth", "c/depth", "--bag", str(tmp_path / "out.mcap")]
    assert main(["track", str(file), *options]) == 3
    with highlevel.AnyReader([tmp_path / "out.partial.mcap"]) as reader:
        (poses,) = (c for c in reader.connections if c.topic.endswith("tracked_poses"))
        arrays = [reader.deserialize(data, poses.msgtype) for *_, data in reader.messages([poses])]
    assert len(arrays) >= 6
    for i, array in enumerate(arrays):
        assert [pose.position.z for pose in array.poses] == pytest.approx(
            [2.0 + 0.1 * i] * (1 if i == 0 else 2), abs=1e-3
        )


def test_cameras_of_a_bag_have_outputs_of_their_own(pedestrians, tmp_path):
    people = pedestrians[0]
    views = {"front": people, "rear": np.rot90(people)}
    messages = [
        (f"/{name}/image", 1.0 + i, image_message(np.ascontiguousarray(view), 1.0 + i))
        for i in range(3)
        for name, view in views.items()
    ]
    bag = make_bag(tmp_path / "bag", messages)
    parameters = {"movenet": {"input_size": 256}, "cameras": {"names": ["front", "rear"]}}
    parameters["cameras"]["rotate"] = [0, 90]
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({"poseflow": {"ros__parameters": parameters}}))
    options = ["--camera=front=/front/image", "--camera=rear=/rear/image", "--estimator=movenet"]
    options += [f"--params={tmp_path / 'p.yaml'}", f"--json={tmp_path / 'out.json'}"]
    assert main(["track", str(bag), *options, f"--bag={tmp_path / 'out.mcap'}"]) == 0
    front, rear = (
        json.loads((tmp_path / f"out.{name}.json").read_text())["frames"][2]["people"]
        for name in views
    )
    assert len(front) == len(rear) >= 1
    width = people.shape[1]
    for upright, turned in zip(front, rear, strict=True):
        x, y, score = np.array(upright["keypoints"]).T
        np.testing.assert_allclose(
            turned["keypoints"], np.stack([y, width - 1 - x, score], axis=1), atol=0.02
        )
    highlevel = pytest.importorskip("rosbags.highlevel")
    with highlevel.AnyReader([tmp_path / "out.rear.mcap"]) as reader:
        assert "/poseflow/rear/tracked_poses" in {c.topic for c in reader.connections}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        pytest.param(["--camera=front"], "--camera is 'front', must be NAME=TOPIC", id="no topic"),
        pytest.param(["--camera=a=/image", "--topic=/image"],
                     "--topic cannot be used with --camera", id="a topic too"),
        pytest.param(["--camera=a=/image", "--camera=a=/image", "--mot=out.txt"],
                     "is an input or another output", id="the same name twice"),
    ],
)  # fmt: skip
def test_cameras_that_cannot_be_read_are_one_line(
    options, line, made, monkeypatch, tmp_path, capfd
):
    monkeypatch.chdir(tmp_path)
    assert main(["track", str(made / "bag"), *options]) == 2
    err = capfd.readouterr().err
    assert line in err
    assert err.count("\n") == 1


def test_a_truncated_bag_is_processed_up_to_the_defect(made, tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 255, (400, 600, 3), np.uint8)
    messages = [("/image", 1.0 + i, image_message(noise, 1.0 + i)) for i in range(6)]
    file = make_bag(tmp_path / "bag", messages) / "bag.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    options = ["--detections", str(made / "poses.npz"), "--json", str(tmp_path / "out.json")]
    assert main(["track", str(file), *options]) == 3
    err = capfd.readouterr().err
    assert "is incomplete: 2 images were read, bag.mcap is cut off" in err
    assert len(json.loads((tmp_path / "out.partial.json").read_text())["frames"]) == 2
