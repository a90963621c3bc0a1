"""The images of ROS 2 bags."""

import sys

import cv2
import numpy as np
import pytest
import yaml
from made_bag import STORE, compressed_message, image_message, make_bag, message

from poseflow_ros.imaging.gray_range import GrayRange
from poseflow_ros.imaging.source import IncompleteVideoError, VideoError
from poseflow_ros.imaging.video import open_source

# 1/3 is not a whole number of nanoseconds; 1.7e9 is a time of today.
STAMPS_S = [1.7e9 + i / 3 for i in range(6)]


def made_image(index, size=(24, 32)):
    return np.full((*size, 3), (10 * index, 20, 30), np.uint8)


def image_messages(stamps_s=STAMPS_S, topic="/image"):
    return [(topic, t, image_message(made_image(i), t)) for i, t in enumerate(stamps_s)]


def text(data):
    return message("std_msgs/msg/String", data=data)


@pytest.mark.parametrize(
    ("storage", "compression"),
    [
        ("mcap", None), ("mcap", "storage"), ("mcap", "file"), ("mcap", "message"),
        ("sqlite3", None), ("sqlite3", "file"), ("sqlite3", "message"),
    ],
)  # fmt: skip
def test_images_and_stamps_are_those_of_the_messages(storage, compression, tmp_path):
    others = [("/chatter", t, text("x" * 1000)) for t in STAMPS_S]
    messages = sorted([*image_messages(), *others], key=lambda row: row[1])
    source = open_source(str(make_bag(tmp_path / "bag", messages, storage, compression)))
    assert (source.topic, source.n_frames) == ("/image", 6)
    assert source.rate_hz == pytest.approx(6 / (5 / 3))
    for index, (image, stamp_s) in enumerate(source):
        np.testing.assert_array_equal(image, made_image(index))
        assert stamp_s == pytest.approx(STAMPS_S[index], abs=1e-6)
    exact = [header.stamp_ns for header in source.headers]
    assert exact == [round(stamp_s * 1e9) for stamp_s in STAMPS_S]


@pytest.mark.parametrize("name", ["bag/bag.mcap", "bag/bag.db3"])
def test_a_file_of_a_bag_is_read_alone(name, tmp_path):
    storage = "mcap" if name.endswith("mcap") else "sqlite3"
    make_bag(tmp_path / "bag", image_messages(), storage)
    assert len(list(open_source(str(tmp_path / name)))) == 6


def test_jpegs_are_decoded(tmp_path):
    _, data = cv2.imencode(".jpg", made_image(5)[:, :, ::-1])
    bag = make_bag(tmp_path / "bag", [("/image/compressed", 1.0, compressed_message(data, 1.0))])
    ((image, stamp_s),) = open_source(str(bag))
    assert stamp_s == 1.0
    assert np.abs(image.astype(int) - made_image(5)).max() <= 3


def test_16_bit_images_get_the_range_that_is_given(tmp_path):
    values = np.array([[100, 150, 200]] * 3, np.uint16)
    bag = make_bag(tmp_path / "bag", [("/image", 1.0, image_message(values, 1.0, "mono16"))])
    ((image, _),) = open_source(str(bag), gray_range=GrayRange((100, 200)))
    assert image[0].tolist() == [[0, 0, 0], [127, 127, 127], [255, 255, 255]]


def test_late_and_repeated_images_are_left_out_and_counted(tmp_path):
    stamps_s = [1.0, 1.1, 1.1, 1.05, 1.2]
    messages = [
        ("/image", 5 + 0.1 * i, image_message(made_image(i), t)) for i, t in enumerate(stamps_s)
    ]
    source = open_source(str(make_bag(tmp_path / "bag", messages)))
    assert [stamp_s for _, stamp_s in source] == pytest.approx([1.0, 1.1, 1.2])
    assert source.left_out == {"duplicate stamp": 1, "out of order": 1}
    assert [header.n_dropped for header in source.headers] == [0, 0, 2]


def test_a_stamp_of_zero_is_replaced_by_the_time_of_reception(tmp_path):
    messages = [("/image", 7.0 + i, image_message(made_image(i), 0.0)) for i in range(3)]
    source = open_source(str(make_bag(tmp_path / "bag", messages)))
    assert [stamp_s for _, stamp_s in source] == [7.0, 8.0, 9.0]


def test_the_topic_is_chosen_with_and_without_a_slash(tmp_path):
    messages = image_messages(topic="/left") + image_messages(STAMPS_S[:2], "/right")
    bag = str(make_bag(tmp_path / "bag", messages))
    assert len(list(open_source(bag, topic="/right"))) == 2
    assert len(list(open_source(bag, topic="left"))) == 6


@pytest.mark.parametrize(
    ("messages", "topic", "line"),
    [
        pytest.param(
            [*image_messages(topic="/left"), *image_messages(topic="/right")], "",
            "has 2 image topics, set --topic: /left, /right", id="two image topics",
        ),
        pytest.param(
            [("/chatter", 1.0, text("a"))], "",
            "has no images; its topics: /chatter (std_msgs/msg/String)", id="no image topic",
        ),
        pytest.param([], "", "has no images; its topics: none", id="nothing"),
        pytest.param(
            [*image_messages(), ("/chatter", 1.7e9, text("a"))], "/chatter",
            "topic /chatter is of type std_msgs/msg/String; its image topics: /image", id="type",
        ),
        pytest.param(
            image_messages(), "/made_image",
            "topic /made_image is not in the bag; its image topics: /image", id="unknown topic",
        ),
    ],
)  # fmt: skip
def test_a_topic_that_cannot_be_read_is_one_line(messages, topic, line, tmp_path):
    bag = make_bag(tmp_path / "bag", messages)
    with pytest.raises(VideoError) as caught:
        open_source(str(bag), topic=topic)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_types_that_nobody_knows_do_not_matter(tmp_path):
    bag = make_bag(tmp_path / "bag", [*image_messages(), ("/chatter", 1.7e9, text("a"))])
    file = bag / "bag.mcap"
    # In the schema and the channel; both names have the same length.
    file.write_bytes(file.read_bytes().replace(b"std_msgs/msg/String", b"our_pkg/msg/Unknown"))
    assert len(list(open_source(str(file)))) == 6


def noise(index):
    """Return an image that fills most of a chunk."""
    return np.random.default_rng(index).integers(0, 256, (400, 600, 3), np.uint8)


def noisy(n):
    return [("/image", 1 + i, image_message(noise(i), 1.0 + i)) for i in range(n)]


@pytest.mark.parametrize("compression", [None, "storage"])
@pytest.mark.parametrize("how", ["file", "folder", "folder without metadata"])
def test_a_cut_off_mcap_is_read_up_to_the_defect(how, compression, tmp_path):
    bag = make_bag(tmp_path / "bag", noisy(6), "mcap", compression)
    # A recorder adds the number of the file.
    file = (bag / "bag.mcap").rename(bag / "bag_0.mcap")
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("bag.mcap", "bag_0.mcap"))
    file.write_bytes(file.read_bytes()[: 4 * file.stat().st_size // 6 + 100])
    if how == "folder without metadata":
        metadata.unlink()
    images, error = read_until_error(file if how == "file" else bag)
    assert "bag_0.mcap is cut off" in error
    assert "4 images were read" in error
    assert len(images) == 4
    for index, image in enumerate(images):
        np.testing.assert_array_equal(image, noise(index))


def read_until_error(path):
    """Return the images before an error, and its text of one line."""
    images = []
    with pytest.raises(IncompleteVideoError) as caught:
        for image, _ in open_source(str(path)):
            images.append(image)
    assert "\n" not in str(caught.value)
    return images, str(caught.value)


@pytest.mark.parametrize("damage", ["empty", "missing"])
def test_the_other_files_of_a_bag_are_read(damage, tmp_path):
    bag = make_bag(tmp_path / "bag", noisy(3))
    (bag / "bag.mcap").rename(bag / "bag_0.mcap")
    metadata = yaml.safe_load((bag / "metadata.yaml").read_text())
    metadata["rosbag2_bagfile_information"]["relative_file_paths"] = ["bag_0.mcap", "bag_1.mcap"]
    (bag / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    if damage == "empty":
        (bag / "bag_1.mcap").touch()
    images, error = read_until_error(bag)
    assert len(images) == 3
    assert "bag_1.mcap" in error


def test_a_bag_that_is_damaged_in_the_middle_is_read_up_to_there(tmp_path):
    bag = make_bag(tmp_path / "bag", noisy(6), "mcap", "message")
    file = bag / "bag.mcap"
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200_000] = bytes(200_000)
    file.write_bytes(data)
    images, error = read_until_error(bag)
    assert "is incomplete: " in error
    assert 1 <= len(images) < 6


def test_images_that_the_index_counts_but_a_chunk_lacks_are_reported(tmp_path):
    file = make_bag(tmp_path / "bag", noisy(3)) / "bag.mcap"
    data = file.read_bytes()
    # The kind of a message's record becomes one that readers skip.
    _, _, last = noisy(3)[-1]
    length = 22 + len(STORE.serialize_cdr(last, last.__msgtype__))
    place = data.rindex(b"\x05" + length.to_bytes(8, "little"))
    file.write_bytes(data[:place] + b"\x80" + data[place + 1 :])
    assert "2 images were read, 1 are missing" in read_until_error(file)[1]


def test_an_image_that_is_malformed_is_reported_at_the_end(tmp_path):
    messages = image_messages()
    messages[2][2].encoding = "8UC3"
    source = open_source(str(make_bag(tmp_path / "bag", messages)))
    with pytest.raises(IncompleteVideoError, match="1 images cannot be converted: encoding"):
        list(source)
    assert len(source.headers) == 5


def test_a_bag_of_malformed_images_only_is_one_line(tmp_path):
    bag = make_bag(tmp_path / "bag", [("/image", 1.0, image_message(made_image(1), 1.0, "8UC3"))])
    with pytest.raises(VideoError, match="no image can be converted: encoding '8UC3'"):
        list(open_source(str(bag)))


@pytest.mark.parametrize("name", ["x.mcap", "x.db3"])
def test_a_file_that_is_no_bag_is_one_line(name, tmp_path):
    (tmp_path / name).write_bytes(b"hello" * 100)
    with pytest.raises(VideoError, match=f"{name} cannot be read as a bag: ") as caught:
        open_source(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_missing_rosbags_is_one_line(tmp_path, monkeypatch):
    bag = make_bag(tmp_path / "bag", image_messages())
    monkeypatch.setitem(sys.modules, "rosbags.rosbag2", None)
    with pytest.raises(VideoError, match="bags need the package rosbags; to install it: "):
        open_source(str(bag))


def test_a_rate_is_rejected(tmp_path):
    with pytest.raises(VideoError, match="is a bag, whose stamps are used"):
        open_source(str(make_bag(tmp_path / "bag", image_messages())), 10.0)
