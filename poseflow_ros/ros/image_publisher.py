"""Images made beforehand, sent at a rate, for `bench node`.

`python -m poseflow_ros.ros.image_publisher STREAM --ros-args ...`, where STREAM is the fields of
an ImageStream as JSON. At the end it prints how many images it sent.
"""

import itertools
import json
import sys
import time

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from poseflow_ros.bench.image_stream import ImageStream
from poseflow_ros.ros.images import to_message

_RELIABILITIES = {
    "reliable": ReliabilityPolicy.RELIABLE,
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
}
_START_TIMEOUT_S = 30.0
# The publisher sees a subscriber before that one sees the publisher: images sent in between are
# lost.
_SETTLE_S = 0.5
_ACK_TIMEOUT = Duration(seconds=5)


def publish(node: Node, stream: ImageStream) -> int:
    """Send the images of a stream on `image` as soon as somebody listens.

    An image that is due while the one before it is still being sent is left out, as by a camera.

    Returns:
        How many were sent.
    """
    qos = QoSProfile(depth=5, reliability=_RELIABILITIES[stream.qos])
    publisher = node.create_publisher(Image, "image", qos)
    header = Header(frame_id="camera")
    messages = itertools.cycle([to_message(p, header, "bgr8") for p in stream.pictures()])
    _wait_for_subscriber(publisher)
    begin_s, published, i = time.monotonic(), 0, 0
    while i < stream.n_images:
        time.sleep(max(0.0, begin_s + i / stream.rate_hz - time.monotonic()))
        message = next(messages)
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        published += 1
        i = max(i + 1, int((time.monotonic() - begin_s) * stream.rate_hz))
    publisher.wait_for_all_acked(_ACK_TIMEOUT)
    return published


def _wait_for_subscriber(publisher: "rclpy.publisher.Publisher") -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not publisher.get_subscription_count():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody listens to {publisher.topic_name}")
        time.sleep(0.05)
    time.sleep(_SETTLE_S)


def main() -> int:
    """Send one stream; return 0, or 2 where nobody listens."""
    stream = ImageStream(**json.loads(sys.argv[1]))
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # then SIGINT ends a sleep too
    try:
        print(publish(rclpy.create_node("camera"), stream), flush=True)
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
