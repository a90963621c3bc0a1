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
