"""Publisher of precomputed images at a fixed rate, for `bench node`.

`python -m poseflow_ros.bench.image_publisher STREAM SUBSCRIPTIONS --ros-args ...`, where STREAM is
the fields of an ImageStream as JSON and SUBSCRIPTIONS the number of subscriptions that each image
topic has. At the end it prints the number of published images per camera, as JSON.
"""

import json
import sys
import time
from dataclasses import dataclass

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from poseflow_ros.bench.image_stream import ImageStream
from poseflow_ros.ros.inputs.images import to_message

_RELIABILITIES = {
    "reliable": ReliabilityPolicy.RELIABLE,
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
}
_START_TIMEOUT_S = 120.0
# The publisher discovers a subscriber before the subscriber discovers the publisher; images sent
# in between are lost.
_SETTLE_S = 1.0
_ACK_TIMEOUT = Duration(seconds=5)


@dataclass(slots=True)
class _Camera:
    """The next image of a camera and its time in periods; number of published images."""

    publisher: Publisher
    phase: float
    next: int = 0
    published: int = 0

    @property
    def due(self) -> float:
        return self.next + self.phase


def publish(node: Node, stream: ImageStream, n_subscriptions: int) -> dict[str, int]:
    """Publish a stream on `image` or `NAME/image` once all subscriptions are matched.

    The cameras take turns, evenly distributed over the period. As with a real camera, an image
    that is due while the previous one is still being sent is skipped.

    Args:
        node: which publishes.
        stream: what is sent.
        n_subscriptions: of each image topic.

    Returns:
        The number of published images of each camera.
    """
    messages = [to_message(p, Header(frame_id="camera"), "bgr8") for p in stream.images()]
    cameras = _cameras(node, stream, n_subscriptions)
    begin_s = time.monotonic()
    while (camera := min(cameras, key=lambda c: c.due)).next < stream.n_images:
        time.sleep(max(0.0, begin_s + camera.due / stream.rate_hz - time.monotonic()))
        message = messages[camera.published % len(messages)]
        message.header.stamp = node.get_clock().now().to_msg()
        camera.publisher.publish(message)
        camera.published += 1
        passed = (time.monotonic() - begin_s) * stream.rate_hz
        camera.next = max(camera.next + 1, int(passed - camera.phase))
    for camera in cameras:
        camera.publisher.wait_for_all_acked(_ACK_TIMEOUT)
    counts = (camera.published for camera in cameras)
    return dict(zip(stream.camera_names, counts, strict=True))


def _cameras(node: Node, stream: ImageStream, n_subscriptions: int) -> list[_Camera]:
    """Return the cameras of a stream, each matched with so many subscriptions."""
    qos = QoSProfile(depth=5, reliability=_RELIABILITIES[stream.qos])
    topics = [f"{name}/image".lstrip("/") for name in stream.camera_names]
    publishers = [node.create_publisher(Image, topic, qos) for topic in topics]
    deadline = time.monotonic() + _START_TIMEOUT_S
    for publisher in publishers:
        while (found := publisher.get_subscription_count()) < n_subscriptions:
            if time.monotonic() > deadline:
                topic = publisher.topic_name
                raise TimeoutError(f"{topic} has {found} of {n_subscriptions} subscriptions")
            time.sleep(0.05)
    time.sleep(_SETTLE_S)
    return [_Camera(publisher, i / len(topics)) for i, publisher in enumerate(publishers)]


def main() -> int:
    """Publish one stream; return 0, or 2 if subscriptions are missing."""
    stream, n_subscriptions = ImageStream(**json.loads(sys.argv[1])), int(sys.argv[2])
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # then SIGINT ends a sleep too
    try:
        counts = publish(rclpy.create_node("camera"), stream, n_subscriptions)
        print(json.dumps(counts), flush=True)
    except TimeoutError as error:
        print(f"image_publisher: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
