"""Convert recorded people into training data of pyskl and MMAction2: a pickle file of annotations.

    python to_pyskl.py train.pkl 0=walking.json 1=waving.json 1=waving_bag/

Each recording shows one action, whose number comes before it: the JSON of
`python -m poseflow_ros track VIDEO --json OUT.json`, or a bag with poseflow_msgs/TrackedPoseArray.
"""

import argparse
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from poseflow_ros.action_config import WindowsConfig
from poseflow_ros.actions import PoseFrame, PoseWindows
from poseflow_ros.actions.frame import UP_OPTICAL
from poseflow_ros.actions.layouts import pyskl_annotations
from poseflow_ros.poses import TrackState

MESSAGE_TYPE = "poseflow_msgs/msg/TrackedPoseArray"


def main() -> None:
    """Convert the recordings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.pkl")
    parser.add_argument("recordings", nargs="+", metavar="LABEL=RECORDING")
    parser.add_argument("--duration", type=float, default=3.0, help="of a window, seconds")
    parser.add_argument("--stride", type=float, default=0.5, help="between windows, seconds")
    parser.add_argument("--split", default="train", help="name of the data's part")
    args = parser.parse_args()
    config = WindowsConfig(duration_s=args.duration, stride_s=args.stride)
    annotations = [
        annotation
        for recording in args.recordings
        for annotation in labelled_annotations(recording, config)
    ]
    names = [annotation["frame_dir"] for annotation in annotations]
    with args.out.open("wb") as file:
        pickle.dump({"split": {args.split: names}, "annotations": annotations}, file)
    print(f"{len(annotations)} windows of {len(args.recordings)} recordings in {args.out}")


def labelled_annotations(recording: str, config: WindowsConfig) -> Iterator[dict[str, Any]]:
    """Yield the annotation of each person's windows in `LABEL=RECORDING`."""
    label, _, name = recording.partition("=")
    if not (label.isdigit() and Path(name).exists()):
        raise SystemExit(f"{recording!r} is not a number, = and an existing recording")
    path, windows = Path(name), PoseWindows(config)
    for frame in json_frames(path) if path.suffix == ".json" else bag_frames(path):
        for annotation in pyskl_annotations(windows.update(frame)):
            name = f"{path.stem}_{annotation['frame_dir']}"
            yield annotation | {"frame_dir": name, "label": int(label)}


def json_frames(path: Path) -> Iterator[PoseFrame]:
    """Yield the people of each image in the JSON file of `track`."""
    document = json.loads(path.read_text())
    n_keypoints = len(document["keypoint_names"])
    for frame in document["frames"]:
        people = frame["people"]
        n = len(people)
        keypoints = np.array([person["keypoints"] for person in people]).reshape(n, n_keypoints, 3)
        yield PoseFrame(
            camera="",
            epoch=0,
            stamp_s=frame["stamp_s"],
            sequence=frame["frame"],
            image_size=tuple(frame["image_size"]),
            track_ids=np.array([person["track_id"] for person in people], np.int64),
            states=np.array([TrackState[person["state"].upper()] for person in people], np.int64),
            keypoints=keypoints[..., :2],
            scores=keypoints[..., 2],
            points=np.full((n, n_keypoints, 3), np.nan),
            positions=np.full((n, 3), np.nan),
            velocities=np.full((n, 3), np.nan),
            up=UP_OPTICAL,
        )


def bag_frames(path: Path) -> Iterator[PoseFrame]:
    """Yield the people of each message in a bag, rosbag2 of any storage."""
    try:
        from rosbags.highlevel import AnyReader
    except ModuleNotFoundError:
        raise SystemExit(f"{path} needs rosbags: python3 -m pip install rosbags") from None
    with AnyReader([path]) as reader:
        poses = [one for one in reader.connections if one.msgtype == MESSAGE_TYPE]
        if not poses:
            raise SystemExit(f"{path} has no {MESSAGE_TYPE}")
        for connection, _, data in reader.messages(poses):
            yield PoseFrame.from_message(reader.deserialize(data, connection.msgtype))


if __name__ == "__main__":
    main()
