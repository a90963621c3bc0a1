"""Drawing of tracked people on an image."""

import colorsys
import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from poseflow_ros.imaging.annotate import draw, track_color
from poseflow_ros.poses import Poses, TrackedPoses, TrackState
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.table import SKELETONS

GREY = 60
POSE_FIELDS = ("keypoints", "keypoint_scores", "boxes", "scores")
TRACK_FIELDS = TrackedPoses.__slots__[1:]
# The hue of id 1 is the golden ratio, 0.618 of the circle or 222.5 degrees: between cyan and
# blue. Saturation 0.8: the least channel is 51; green is 255 * (1 - 0.8 * 0.708) = 110.5.
COLOR_1 = (51, 111, 255)
NOSE, LEFT_EYE, LEFT_SHOULDER, LEFT_ELBOW, LEFT_HIP, LEFT_KNEE, LEFT_ANKLE = 0, 1, 5, 7, 11, 13, 15


def canvas(height=200, width=300):
    return np.full((height, width, 3), GREY, np.uint8)


def person(points, box=(20, 40, 280, 190), track_id=1, state=TrackState.CONFIRMED):
    """Return one track; `points` is {keypoint: (x, y, score)}, all others have score 0."""
    keypoints, scores = np.zeros((1, 17, 2)), np.zeros((1, 17))
    for index, (x, y, score) in points.items():
        keypoints[0, index], scores[0, index] = (x, y), score
    return TrackedPoses(
        poses=Poses(keypoints, scores, [box], [0.9]),
        track_ids=np.array([track_id]),
        states=np.array([state]),
        match_scores=np.zeros(1),
        ages_s=np.zeros(1),
        time_since_update_s=np.zeros(1),
        hits=np.ones(1, int),
        velocities=np.zeros((1, 2)),
    )


def drawn(tracked, image=None, min_keypoint_score=0.2):
    return draw(canvas() if image is None else image, tracked, COCO_17, min_keypoint_score)


def untouched(image, x, y, reach=5):
    return (image[y - reach : y + reach + 1, x - reach : x + reach + 1] == GREY).all()


def test_color_is_drawn_only_at_the_keypoint():
    image = drawn(person({NOSE: (150, 100, 0.9)}))
    assert tuple(image[100, 150].tolist()) == COLOR_1
    assert untouched(image, 140, 100)
    assert untouched(image, 100, 150)


def test_x_is_to_the_right_and_y_down():
    image = drawn(person({LEFT_ANKLE: (250, 120, 1.0)}))
    assert tuple(image[120, 250].tolist()) == COLOR_1
    assert untouched(image, 120, 150)


def test_edges_connect_keypoints():
    image = drawn(person({LEFT_SHOULDER: (100, 80, 0.9), LEFT_ELBOW: (200, 80, 0.9)}))
    assert tuple(image[80, 150].tolist()) == COLOR_1
    image = drawn(person({NOSE: (100, 80, 0.9), LEFT_ELBOW: (200, 80, 0.9)}))  # no edge
    assert untouched(image, 150, 80)


def test_a_keypoint_with_a_low_score_is_left_out_with_its_edges():
    leg = {LEFT_HIP: (100, 80, 0.9), LEFT_KNEE: (150, 80, 0.19), LEFT_ANKLE: (200, 80, 0.9)}
    image = drawn(person(leg))
    assert untouched(image, 150, 80)
    assert untouched(image, 125, 80)
    assert untouched(image, 175, 80)
    assert tuple(image[80, 100].tolist()) == tuple(image[80, 200].tolist()) == COLOR_1
    leg[LEFT_KNEE] = (150, 80, 0.2)  # the least allowed
    image = drawn(person(leg))
    assert [tuple(image[80, x].tolist()) for x in (125, 150, 175)] == [COLOR_1] * 3


def test_the_box_is_drawn_in_the_person_s_colour():
    image = drawn(person({}, box=(20, 40, 280, 190)))
    for x, y in ((280, 100), (20, 100), (150, 190), (250, 40)):
        assert tuple(image[y, x].tolist()) == COLOR_1
    assert untouched(image, 150, 100)


def text_pixels(image):
    """Return (H, W) true for the text of labels: the only pixels darker than the background."""
    return (image < GREY - 10).all(axis=2)


WHOLE_TEXT = text_pixels(drawn(person({}, box=(120, 90, 180, 150)))).sum()


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((20, -50, 280, 190), id="top"),
        pytest.param((-30, -50, 20, 30), id="upper left corner"),
        pytest.param((-40, 60, 5, 150), id="left"),
        pytest.param((295, 60, 340, 150), id="right"),
        pytest.param((296, -20, 350, 5), id="upper right corner"),
        pytest.param((100, 190, 160, 300), id="bottom"),
        pytest.param((290, 198, 350, 300), id="lower right corner"),
        pytest.param((0, 0, 299, 199), id="the whole image"),
        pytest.param((-500, -500, 800, 700), id="more than the image"),
    ],
)
def test_the_whole_label_is_inside_the_image(box):
    assert WHOLE_TEXT > 10
    assert text_pixels(drawn(person({}, box=box))).sum() == WHOLE_TEXT


def test_nobody_outside_the_image_has_a_label():
    assert (drawn(person({}, box=(310, 20, 350, 90))) == GREY).all()


# Eyes, nose and ears of a face from x = 130 to 170 and y = 60 to 70.
FACE = {
    0: (150, 70, 0.9),
    1: (158, 60, 0.9),
    2: (142, 60, 0.9),
    3: (170, 62, 0.9),
    4: (130, 62, 0.9),
}


def shifted(face, dx, dy):
    return {index: (x + dx, y + dy, score) for index, (x, y, score) in face.items()}


def is_covered(image, dx=0, dy=0):
    """Return whether a label is over a face: its fill between the points of the face, or text."""
    face = image[max(0, 58 + dy) : 72 + dy, 128 + dx : 172 + dx]
    between = image[67 + dy : 70 + dy, 131 + dx : 134 + dx]
    return bool(text_pixels(face).any() or (between != GREY).any())


@pytest.mark.parametrize(
    ("shift", "box"),
    [
        pytest.param((0, -58), (100, 0, 200, 190), id="at the top"),
        pytest.param((-128, -58), (0, 0, 60, 190), id="upper left corner"),
        pytest.param((127, -58), (240, 0, 299, 190), id="upper right corner"),
        pytest.param((0, -58), (0, 0, 299, 199), id="a person who fills the image"),
        pytest.param((0, 125), (100, 170, 200, 260), id="a head at the bottom"),
    ],
)
def test_no_label_covers_the_face(shift, box):
    image = drawn(person(shifted(FACE, *shift), box=box))
    assert text_pixels(image).sum() == WHOLE_TEXT
    assert not is_covered(image, *shift)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_people_of_every_skeleton_are_drawn_without_a_label_on_the_head(skeleton):
    rng = np.random.default_rng(0)
    names = skeleton.keypoint_names
    head = [i for i, name in enumerate(names) if name.startswith(("top_head", "neck", "nose"))]
    keypoints = rng.uniform((120, 60), (180, 150), (1, len(names), 2))
    keypoints[:, head] = [(150, 20), (150, 40)][: len(head)]
    shape = person({}, box=(100, 0, 200, 190))
    poses = Poses(keypoints, np.ones((1, len(names))), shape.poses.boxes, shape.poses.scores)
    image = draw(canvas(), dataclasses.replace(shape, poses=poses), skeleton, 0.2)
    assert text_pixels(image).sum() == WHOLE_TEXT
    assert not text_pixels(image[18:42, 140:160]).any()
    assert (np.abs(image.astype(int) - COLOR_1).sum(axis=2) < 30).sum() > 100


def together(*tracks):
    """Return tracks of one person each as the tracks of one image."""
    poses = Poses.joined([track.poses for track in tracks])
    names = [name for name in TrackedPoses.__slots__ if name != "poses"]
    return TrackedPoses(poses, *(np.concatenate([getattr(t, n) for t in tracks]) for n in names))


def test_no_label_covers_the_face_of_somebody_else_or_another_label():
    behind = person(FACE, box=(100, 50, 200, 190))
    before = [person({}, box=(x, 78, x + 70, 190), track_id=8) for x in (125, 130)]
    assert is_covered(drawn(together(behind, person({}, box=(125, 78, 195, 190)))[1:]))
    image = drawn(together(behind, *before))
    assert not is_covered(image)
    eight = text_pixels(drawn(person({}, box=(120, 90, 180, 150), track_id=8))).sum()
    assert text_pixels(image).sum() == WHOLE_TEXT + 2 * eight


@pytest.mark.parametrize(
    ("size", "factor"), [((360, 640), 1), ((1080, 1920), 3), ((2160, 3840), 6), ((1920, 1080), 3)]
)
def test_lines_dots_and_labels_are_in_proportion_to_the_image(size, factor):
    points = {
        LEFT_SHOULDER: (100 * factor, 80 * factor, 0.9),
        LEFT_ELBOW: (200 * factor, 80 * factor, 0.9),
    }
    box = [factor * x for x in (20, 40, 280, 190)]
    image = drawn(person(points, box=box), canvas(*size))
    colored = np.abs(image.astype(int) - COLOR_1).sum(axis=2) < 30

    line = colored[60 * factor : 100 * factor, 150 * factor].sum()
    dot = colored[60 * factor : 100 * factor, 100 * factor].sum()
    frame = colored[100 * factor, 270 * factor : 290 * factor].sum()
    label = colored[: 38 * factor, 20 * factor + 1].sum()
    # OpenCV draws lines of 3 pixels 5 pixels wide.
    assert line == pytest.approx(2 * factor, abs=2)
    assert dot == pytest.approx(4 * factor, abs=2)
    assert frame == pytest.approx(factor, abs=2)
    assert label == pytest.approx(17 * factor, abs=3 * factor)


def test_input_image_is_not_modified():
    image = canvas()
    result = drawn(person({NOSE: (150, 100, 0.9)}), image)
    assert (image == GREY).all()
    assert not np.shares_memory(result, image)
    assert (result.shape, result.dtype) == (image.shape, np.uint8)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.full((200, 300, 4), GREY, np.uint8)[:, :, 2::-1], id="channels swapped"),
        pytest.param(np.full((400, 600, 3), GREY, np.uint8)[::2, ::-2], id="every other pixel"),
        pytest.param(np.full((300, 200, 3), GREY, np.uint8).transpose(1, 0, 2), id="transposed"),
        pytest.param(np.broadcast_to(np.uint8(GREY), (200, 300, 3)), id="read-only"),
    ],
)
def test_drawing_does_not_depend_on_strides(image):
    tracked = person({NOSE: (150, 100, 0.9), LEFT_EYE: (170, 90, 0.9)})
    np.testing.assert_array_equal(drawn(tracked, image), drawn(tracked))


@pytest.mark.parametrize("state", set(TrackState) - {TrackState.CONFIRMED})
def test_invisible_and_tentative_tracks_are_not_drawn(state):
    assert (drawn(person({NOSE: (150, 100, 0.9)}, state=state)) == GREY).all()


def test_no_people_leave_the_image_unchanged():
    nobody = person({})[np.zeros(1, bool)]
    assert (drawn(nobody) == GREY).all()


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(-5000, id="left"),
        pytest.param(9e9, id="beyond 32 bits"),
        pytest.param(-1e300, id="beyond 64 bits"),
    ],
)
def test_person_far_outside_is_not_drawn(x):
    points = {LEFT_HIP: (x, x, 0.9), LEFT_KNEE: (x, x + 50, 0.9)}
    image = drawn(person(points, box=(x, x, x + 50, x + 90)))
    assert untouched(image, 150, 100, reach=60)


def test_nan_keypoints_are_not_drawn():
    image = drawn(person({NOSE: (150, 100, 0.9), LEFT_EYE: (np.nan, np.nan, 0.0)}))
    assert tuple(image[100, 150].tolist()) == COLOR_1


def test_consecutive_ids_have_different_hues():
    hues = [colorsys.rgb_to_hsv(*track_color(i))[0] for i in range(1, 50)]
    for one, other in pairwise(hues):
        apart = abs(one - other)
        assert min(apart, 1 - apart) > 0.3


def test_long_labels_are_inside_the_image():
    at_the_edge = person({}, box=(280, 100, 299, 190))
    image = draw(canvas(), at_the_edge, COCO_17, 0.2, ["1 standing, hand raised"])
    filled = (image == COLOR_1).all(axis=2)
    columns = np.flatnonzero(filled.sum(axis=0) > 5)
    assert columns.max() == 299
    assert np.ptp(columns) > 150  # 23 characters of 8 pixels and more


def test_labels_belong_to_the_visible_people():
    lost, seen = person({}, track_id=8, state=TrackState.LOST), person({})
    both = TrackedPoses(
        Poses(*(np.concatenate([getattr(t.poses, n) for t in (lost, seen)]) for n in POSE_FIELDS)),
        *(np.concatenate([getattr(t, n) for t in (lost, seen)]) for n in TRACK_FIELDS),
    )
    labelled = draw(canvas(), both, COCO_17, 0.2, ["8 lying", "1 standing"])
    np.testing.assert_array_equal(labelled, draw(canvas(), seen, COCO_17, 0.2, ["1 standing"]))
    assert (labelled != draw(canvas(), seen, COCO_17, 0.2)).any()
