"""ROS 2 bags, written with rosbags."""

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


def message(name, **fields):
    """Return a message of the type `package/msg/Name`."""
    return STORE.types[name](**fields)


def header(stamp_s, frame_id="camera"):
    """Return a header with a stamp, rounded to a nanosecond."""
    sec, nanosec = divmod(round(stamp_s * 1e9), 10**9)
    time = message("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
    return message("std_msgs/msg/Header", stamp=time, frame_id=frame_id)


def image_message(image, stamp_s, encoding="rgb8", frame_id="camera"):
    """Return a raw image message of an (H, W) or (H, W, C) array."""
    data = image.tobytes()
    return message(
        IMAGE,
        header=header(stamp_s, frame_id), height=image.shape[0], width=image.shape[1],
        encoding=encoding, is_bigendian=0, step=len(data) // image.shape[0],
        data=np.frombuffer(data, np.uint8),
    )  # fmt: skip


def compressed_message(data, stamp_s, form="jpeg"):
    """Return a compressed image message of the bytes of a file."""
    return message(
        COMPRESSED, header=header(stamp_s), format=form, data=np.frombuffer(data, np.uint8)
    )


def camera_info_message(size, focal_px, stamp_s, frame_id="camera"):
    """Return the calibration of a pinhole camera with images of this (height, width)."""
    height, width = size
    k = np.array([focal_px, 0, (width - 1) / 2, 0, focal_px, (height - 1) / 2, 0, 0, 1])
    roi = message(
        "sensor_msgs/msg/RegionOfInterest",
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False,
    )  # fmt: skip
    return message(
        "sensor_msgs/msg/CameraInfo",
        header=header(stamp_s, frame_id), height=height, width=width,
        distortion_model="plumb_bob", d=np.zeros(5), k=k, r=np.eye(3).ravel(),
        p=np.insert(k, [3, 6, 9], 0.0), binning_x=0, binning_y=0, roi=roi,
    )  # fmt: skip


def transform_message(transforms):
    """Return a TFMessage of (parent, child, stamp in seconds, translation, quaternion x y z w)."""
    stamped = [
        message(
            "geometry_msgs/msg/TransformStamped",
            header=header(stamp_s, parent),
            child_frame_id=child,
            transform=message(
                "geometry_msgs/msg/Transform",
                translation=message(
                    "geometry_msgs/msg/Vector3", **dict(zip("xyz", shift, strict=True))
                ),
                rotation=message(
                    "geometry_msgs/msg/Quaternion", **dict(zip("xyzw", turn, strict=True))
                ),
            ),
        )
        for parent, child, stamp_s, shift, turn in transforms
    ]
    return message("tf2_msgs/msg/TFMessage", transforms=stamped)


def make_bag(path, messages, storage="mcap", compression=None):
    """Write a bag; return its path, a folder.

    Args:
        path: of the folder.
        messages: topic, time of reception in seconds and message of each.
        storage: "mcap" or "sqlite3".
        compression: None, "file", "message" or "storage" (the chunks of an MCAP).
    """
    writer = Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()])
    if compression:
        writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    connections = {}
    with writer:
        for topic, received_s, sent in messages:
            kind = sent.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            data = STORE.serialize_cdr(sent, kind)
            writer.write(connections[topic], round(received_s * 1e9), data)
    return path
