"""Random input: the node survives, and every image is processed or dropped with a reason."""

import itertools
import time
from array import array

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from poseflow_msgs.msg import TrackedPoseArray
from rclpy.qos import qos_profile_sensor_data
from ros_driver import PATIENCE_S, stamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

# In each a calibration, a depth image and an image of both cameras: 1,020 messages.
ROUNDS = 170
CAMERAS = {"raw": Image, "packed": CompressedImage}
# A part of the sample video where people are large enough to be found.
WINDOW = np.s_[100:420, 300:620]
SIZE = (320, 320)

BYTES_PER_PIXEL = {
    "rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "mono16": 2, "uyvy": 2, "yuv422": 2,
    "yuyv": 2, "yuv422_yuy2": 2, "nv12": 1, "nv21": 1, "bayer_rggb8": 1, "bayer_bggr8": 1,
    "bayer_gbrg8": 1, "bayer_grbg8": 1, "rgb16": 6, "bgr16": 6, "rgba16": 8, "bgra16": 8,
    "bayer_rggb16": 2, "bayer_bggr16": 2, "bayer_gbrg16": 2, "bayer_grbg16": 2,
}  # fmt: skip
DEPTHS = {"16UC1": np.uint16, "mono16": np.uint16, "32FC1": np.float32}
COEFFICIENTS = {
    "plumb_bob": [0, 4, 5],
    "rational_polynomial": [0, 8, 12, 14],
    "equidistant": [0, 4],
}

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
BYTES = st.binary(max_size=64)
SEEDS = st.integers(0, 2**32 - 1)
UINT32 = st.one_of(
    st.integers(0, 9), st.sampled_from([2**31 - 1, 2**31, 2**32 - 1]), st.integers(0, 2**32 - 1)
)
INT32 = st.one_of(
    st.sampled_from([-(2**31), -1, 0, 1, 2**31 - 1]), st.integers(-(2**31), 2**31 - 1)
)
FINITE = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 5e-324, 1e-300, 1e-9, 1e9, 1e38, -1e300, 1.7e308]),
    st.floats(-2, 2), st.floats(100, 1000), st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
NUMBERS = st.one_of(FINITE, st.floats())
# None: a tenth of a second after the last.
STAMPS = st.one_of(*[st.none()] * 3, st.builds(Time, sec=INT32, nanosec=UINT32))

ANY_IMAGE = st.builds(
    Image,
    encoding=st.one_of(
        st.sampled_from([*BYTES_PER_PIXEL, *DEPTHS, "8UC3", "64FC1", "RGB8", ""]), WORDS
    ),
    width=UINT32,
    height=UINT32,
    step=UINT32,
    data=BYTES,
    is_bigendian=st.integers(0, 255),
)


def noise(encoding, width, height, padding, seed):
    """Return an image message whose sizes and data agree."""
    step = width * BYTES_PER_PIXEL[encoding] + padding
    rows = height * 3 // 2 if encoding.startswith("nv") else height
    data = np.random.default_rng(seed).bytes(rows * step)
    message = Image(encoding=encoding, width=width, height=height, step=step, data=data)
    message.is_bigendian = seed % 2
    return message


def images(picture):
    """Images with people, of noise from one pixel on to long lines, and of anything."""
    people = st.builds(lambda: stamped(picture, 0.0))
    sides = st.one_of(st.integers(1, 20), st.integers(1, 30).map(lambda half: 2 * half))
    sizes = st.one_of(st.tuples(sides, sides), st.sampled_from([(3000, 2), (2, 3000)]))
    encodings = st.sampled_from(list(BYTES_PER_PIXEL))
    noises = sizes.flatmap(
        lambda size: st.builds(noise, encodings, *map(st.just, size), st.integers(0, 9), SEEDS)
    )
    return st.one_of(people, people, people, noises, ANY_IMAGE)


def pack(picture, ending=".png", grey=False, cut=0, flipped=None):
    """Return a JPEG or PNG, possibly truncated or with a flipped bit."""
    packed = cv2.imencode(ending, picture[:, :, 0] if grey else picture[:, :, ::-1])[1]
    data = bytearray(packed.tobytes())
    if flipped is not None:
        data[flipped % len(data)] ^= 1 << flipped % 8
    return CompressedImage(format=ending[1:], data=bytes(data[: len(data) - cut % len(data)]))


def compressed_images(picture):
    """JPEGs and PNGs, whole and damaged, and bytes that begin like them or not."""
    endings, places = st.sampled_from([".jpg", ".png"]), st.integers(0, 10**5)
    people = st.builds(lambda ending, grey: pack(picture, ending, grey), endings, st.booleans())
    odd = st.builds(
        lambda ending, **how: pack(picture[::40], ending, **how),
        endings,
        grey=st.booleans(),
        cut=st.one_of(st.just(0), places),
        flipped=st.one_of(st.none(), places),
    )
    anything = st.builds(
        lambda name, start, rest: CompressedImage(format=name, data=start + rest),
        st.one_of(WORDS, st.sampled_from(["png", "16UC1; compressedDepth"])),
        st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]),
        BYTES,
    )
    return st.one_of(people, people, people, odd, anything)


def depth(encoding, order, values, seed):
    """Return a depth message of these values in turns, of random bits where there are none.

    Without a list it is a wall at 3 m.
    """
    kind = np.dtype(DEPTHS[encoding]).newbyteorder(order)
    if values is None:
        values = [3.0 if kind.kind == "f" else 3000]
    n_pixels = SIZE[0] * SIZE[1]
    if values:
        with np.errstate(all="ignore"):
            data = np.array(values).astype(kind)[np.arange(n_pixels) % len(values)].tobytes()
    else:
        data = np.random.default_rng(seed).bytes(n_pixels * kind.itemsize)
    message = Image(height=SIZE[0], width=SIZE[1], encoding=encoding)
    message.step, message.is_bigendian = SIZE[1] * kind.itemsize, int(order == ">")
    message.data = array("B", data)
    return message


def depth_of(encoding, order, values, seed, header):
    """Return a depth message with a header."""
    message = depth(encoding, order, values, seed)
    message.header = header
    return message


FITTING_DEPTHS = st.builds(
    depth,
    st.sampled_from(list(DEPTHS)),
    st.sampled_from("<>"),
    st.one_of(st.none(), st.none(), st.lists(NUMBERS, max_size=5)),
    SEEDS,
)
DEPTH_IMAGES = st.one_of(FITTING_DEPTHS, FITTING_DEPTHS, ANY_IMAGE)

USUAL_LENSES = st.builds(
    lambda model, d: CameraInfo(
        height=SIZE[0], width=SIZE[1], distortion_model=model, d=d,
        k=np.array([500.0, 0, 160, 0, 500, 160, 0, 0, 1]),
    ),
    st.sampled_from(["plumb_bob", "equidistant"]),
    st.lists(st.floats(-0.3, 0.3), min_size=4, max_size=4),
)  # fmt: skip
# Of numbers that may be, however strange.
ODD_LENSES = st.sampled_from(
    [(model, n) for model, numbers in COEFFICIENTS.items() for n in numbers]
).flatmap(
    lambda kind: st.builds(
        lambda f, c, d: CameraInfo(
            height=SIZE[0], width=SIZE[1], distortion_model=kind[0], d=d,
            k=np.array([f[0], 0, c[0], 0, f[1], c[1], 0, 0, 1]),
        ),
        st.tuples(*[FINITE.map(abs).filter(bool)] * 2),
        st.tuples(FINITE, FINITE),
        st.lists(FINITE, min_size=kind[1], max_size=kind[1]),
    )
)  # fmt: skip
ANY_INFO = st.builds(
    CameraInfo,
    height=UINT32,
    width=UINT32,
    distortion_model=st.one_of(st.sampled_from(list(COEFFICIENTS)), WORDS),
    k=st.lists(NUMBERS, min_size=9, max_size=9).map(np.array),
    d=st.lists(NUMBERS, max_size=16),
    binning_x=UINT32,
    binning_y=UINT32,
    roi=st.builds(RegionOfInterest, x_offset=UINT32, y_offset=UINT32, height=UINT32, width=UINT32),
)
CAMERA_INFOS = st.one_of(USUAL_LENSES, USUAL_LENSES, ODD_LENSES, ANY_INFO)

# What real drivers do to the messages of a round, besides what is in them.
FAULTS = st.sampled_from(
    ["", "", "", "swapped", "duplicated", "foreign size", "foreign publisher", "zero stamps",
     "wrong frame", "slash", "late depth", "16UC1 in metres"]
)  # fmt: skip


class World:
    """Two cameras in front of an active node, and what it answers."""

    def __init__(self, driver, node):
        self.driver, self.node = driver, node
        self.now_s, self.rounds = 10.0, 0
        self.published = dict.fromkeys(CAMERAS, 0)
        self.publishers, self.heard, self.foreign = {}, {}, {}
        for name, image_type in CAMERAS.items():
            topics = {"camera_info": CameraInfo, "depth": Image, "image": image_type}
            self.publishers[name] = [driver.camera(t, f"{name}/{x}") for x, t in topics.items()]
            self.foreign[name] = driver.camera(image_type, f"{name}/image")
            self.heard[name] = driver.listen(
                TrackedPoseArray, f"/poseflow/{name}/tracked_poses", 1000
            )
            driver.listen(MarkerArray, f"/poseflow/{name}/markers")
            driver.listen(Image, f"/poseflow/{name}/annotated", qos_profile_sensor_data)

    def play(self, raw, packed, depth_stamp=None, image_stamp=None, frame_id="camera", fault=""):
        """Publish calibration, depth and image of both cameras; wait until they are done with."""
        self.now_s += 0.1
        self.rounds += 1
        next_stamp = self.stamp(0.0)
        stamps = [next_stamp, depth_stamp or next_stamp, image_stamp or next_stamp]
        if fault == "zero stamps":
            stamps = [Time()] * 3
        for name, messages in (("raw", raw), ("packed", packed)):
            for message, stamp in zip(messages, stamps, strict=True):
                message.header = Header(stamp=stamp, frame_id=frame_id)
            self.publish(name, messages, fault)
        self.until(self.done)

    def publish(self, name, messages, fault):
        """Publish the messages of one camera, with a fault."""
        info, depth, image = messages
        publishers = dict(zip(("info", "depth", "image"), self.publishers[name], strict=True))
        if fault == "wrong frame":
            info.header.frame_id = depth.header.frame_id = "elsewhere"
        if fault == "slash":
            info.header.frame_id = f"/{info.header.frame_id}"
        if fault == "16UC1 in metres":
            depth = depth_of("16UC1", "<", [3], 0, depth.header)
        publishers["info"].publish(info)
        if fault != "late depth":
            publishers["depth"].publish(depth)
        self.show(name, publishers["image"], image)
        if fault == "late depth":
            publishers["depth"].publish(depth)
        if fault == "duplicated":
            self.show(name, publishers["image"], image)
        if fault == "swapped":
            image.header.stamp = self.stamp(-0.05)
            self.show(name, publishers["image"], image)
        if fault.startswith("foreign"):
            small = np.zeros((24, 32, 3), np.uint8)
            other = pack(small) if name == "packed" else stamped(small, 0.0)
            other = image if fault == "foreign publisher" else other
            other.header.stamp = self.stamp(0.05)
            self.show(name, self.foreign[name], other)

    def show(self, name, publisher, image):
        publisher.publish(image)
        self.published[name] += 1

    def stamp(self, offset_s):
        """Return a stamp relative to that of this round."""
        return stamped(np.zeros((1, 1, 3), np.uint8), self.now_s + offset_s).header.stamp

    def counts(self, name):
        values = self.node.cameras[name].statistics.values()
        return {key: int(value) for key, value in values.items() if value.isdecimal()}

    def done(self):
        """Whether every image was received, and processed or dropped for a reason."""
        for name in CAMERAS:
            counts = self.counts(name)
            dropped = sum(n for key, n in counts.items() if key.startswith("dropped: "))
            done = counts["processed"] + dropped
            if not counts["received"] == done == self.published[name]:
                return False
        return True

    def until(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, {name: self.counts(name) for name in CAMERAS}
            self.driver.executor.spin_once(timeout_sec=0.005)


@pytest.mark.slow
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(("association", "number"), [("classic", 1), ("robust", 2)])
def test_node_survives_arbitrary_messages_and_counts_them(
    association, number, driver, active_node, pedestrians, capfd
):
    node = active_node(
        cameras__names=list(CAMERAS),
        cameras__image_transport=["raw", "compressed"],
        tracker__association=association,
        tracker__publish_tentative=True,
        tracker__publish_lost=True,
    )
    world, picture = World(driver, node), np.ascontiguousarray(pedestrians[0][WINDOW])

    @seed(number)
    @settings(
        max_examples=ROUNDS, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        raw=st.tuples(CAMERA_INFOS, DEPTH_IMAGES, images(picture)),
        packed=st.tuples(CAMERA_INFOS, DEPTH_IMAGES, compressed_images(picture)),
        depth_stamp=STAMPS,
        image_stamp=STAMPS,
        frame_id=WORDS,
        fault=FAULTS,
    )
    def play(raw, packed, depth_stamp, image_stamp, frame_id, fault):
        world.play(raw, packed, depth_stamp, image_stamp, frame_id, fault)
        for name in CAMERAS:
            assert "dropped: failed" not in world.counts(name)

    play()
    assert world.rounds >= ROUNDS
    people = [p for heard in world.heard.values() for answer in heard for p in answer.poses]
    # The way into space is among what was tried.
    assert sum(np.isfinite(person.position.z) for person in people) > 3
    # After all that good images are answered, of both cameras, soon.
    good = stamped(picture, 0.0), pack(picture)
    deadline_s = time.monotonic() + PATIENCE_S
    while not all(heard[-1].poses and answers(heard[-1], world) for heard in world.heard.values()):
        assert time.monotonic() < deadline_s
        world.play(*((CameraInfo(), Image(), image) for image in good))
        driver.spin(0.05)
    for fault in ("swapped", "duplicated", "foreign size"):
        world.play(*((CameraInfo(), Image(), image) for image in good), fault=fault)
    for reason in ("out of order", "duplicate stamp", "another image size", "malformed"):
        assert any(f"dropped: {reason}" in world.counts(name) for name in CAMERAS), reason
    assert driver.state() == "active"
    assert "Traceback" not in capfd.readouterr().err
    for name in CAMERAS:
        driver.until(lambda n=name: n_images(world.heard[n]) == world.counts(n)["processed"])


def answers(array, world):
    """Return whether a message is about an image of the latest rounds."""
    return 0 <= world.now_s - array.header.stamp.sec - 1e-9 * array.header.stamp.nanosec < 0.15


def n_images(heard):
    """Return how many messages are about an image, and not the end of an epoch after one."""
    pairs = itertools.pairwise(heard)
    return len(heard) - sum((a.header, a.epoch) == (b.header, b.epoch) for a, b in pairs)
