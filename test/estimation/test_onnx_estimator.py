"""ONNX models of every supported type: where people are found, and what is refused."""

import cv2
import numpy as np
import pytest
from estimators import estimator_maker
from onnx_models import (
    constant_graph,
    detector_spot,
    heatmap_spot,
    integers,
    one_stage_spot,
    save,
    simcc_spot,
    yolo_pose_spot,
)

from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation.errors import EstimatorError, OutOfMemoryError
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.estimation.onnx_estimator import verify

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # ImageNet, RGB
POINTS = np.array([(10.0 + k, 20.0 + k / 2) for k in range(17)])  # pixels of the input
SCORES = np.linspace(0.2, 1.0, 17)
BOX = (8.0, 12.0, 40.0, 50.0)


@pytest.fixture
def make():
    with estimator_maker(name="onnx", threads=1) as maker:
        yield maker


def keypoint_rows(scores=SCORES):
    return np.column_stack([POINTS, scores])


def one_stage(person_scores=(0.9,)):
    """Return the outputs of a one-stage model with people at the same place."""
    dets = np.array([[*BOX, score] for score in person_scores])
    return {"dets": dets, "keypoints": np.stack([keypoint_rows()] * len(person_scores))}


def yolo_raw(n_candidates=60, n_classes=1, person=0):
    """Return a raw output with a person at candidate 7, a duplicate at 8 and another at 20."""
    output = np.zeros((4 + n_classes + 51, n_candidates))
    x1, y1, x2, y2 = BOX
    for column, shift, score in ((7, 0, 0.9), (8, 1, 0.6), (20, 40, 0.5), (30, 20, 0.05)):
        output[:4, column] = ((x1 + x2) / 2 + shift, (y1 + y2) / 2, x2 - x1, y2 - y1)
        output[4 + person, column] = score
        output[4 + n_classes :, column] = np.add(keypoint_rows(), (shift, 0, 0)).ravel()
    return {"output0": output}


def yolo_end_to_end(n=30, person=0):
    rows = np.zeros((n, 57))
    rows[0] = (*BOX, 0.9, person, *keypoint_rows().ravel())
    rows[1] = (*BOX, 0.8, person + 1, *keypoint_rows().ravel())
    return {"output0": rows}


POSE = {
    "task": "pose",
    "kpt_shape": "[17, 3]",
    "names": "{0: 'person'}",
    "imgsz": "[64, 96]",
    "stride": "32",
}
PERSON_SECOND = POSE | {"names": "{0: 'dog', 1: 'person'}"}
TYPES = [
    pytest.param(one_stage(), {}, False, id="one-stage"),
    pytest.param(yolo_raw(), POSE, True, id="YOLO, raw"),
    pytest.param(yolo_raw(), {}, True, id="YOLO, raw, without metadata"),
    pytest.param(yolo_raw(n_classes=2, person=1), PERSON_SECOND, True, id="YOLO, two classes"),
    pytest.param(yolo_end_to_end(), POSE, False, id="YOLO, end-to-end"),
    pytest.param(yolo_end_to_end(), {}, False, id="YOLO, end-to-end, without metadata"),
    pytest.param(yolo_end_to_end(person=1), PERSON_SECOND, False, id="end-to-end, two classes"),
]
# Image sizes, and by hand their scaled size and padding in an input of 64 rows and 96 columns.
SIZES = [
    pytest.param((57, 101), (54, 96), (0, 5), id="57 x 101"),
    pytest.param((101, 57), (64, 36), (30, 0), id="101 x 57"),
    pytest.param((333, 499), (64, 96), (0, 0), id="333 x 499"),
]


@pytest.mark.parametrize(("size", "scaled", "padding"), SIZES)
@pytest.mark.parametrize(("outputs", "metadata", "second"), TYPES)
def test_keypoints_are_exact_in_images_of_odd_sizes(
    make, tmp_path, outputs, metadata, second, size, scaled, padding
):
    weights = save(tmp_path / "m.onnx", constant_graph(outputs), metadata)
    poses = make(weights=str(weights)).estimate(np.zeros((*size, 3), np.uint8))
    scale = np.array(size[::-1]) / scaled[::-1]
    expected = (POINTS + 0.5 - padding) * scale - 0.5
    np.testing.assert_allclose(poses.keypoints[0], expected, atol=1e-3)
    np.testing.assert_allclose(poses.keypoint_scores[0], SCORES, atol=1e-6)
    corners = (np.reshape(BOX, (2, 2)) + 0.5 - padding) * scale - 0.5
    np.testing.assert_allclose(poses.boxes[0], corners.ravel(), atol=1e-3)
    # The duplicate of a raw output is gone, the person beside is not.
    np.testing.assert_allclose(poses.scores, [0.9, 0.5] if second else [0.9], atol=1e-6)


def red_spot_image(size, *centers, radius=None):
    """Return a grey image with red discs whose centres are between the pixels."""
    image = np.full((*size, 3), 90, np.uint8)
    for center in centers:
        fixed = [round(16 * value) for value in center]
        fixed_radius = round(16 * (radius or max(size) / 20))
        cv2.circle(image, fixed, fixed_radius, (250, 30, 30), -1, cv2.LINE_AA, 4)
    return image


@pytest.mark.parametrize(
    ("size", "center"),
    [((479, 641), (200.25, 130.5)), ((641, 479), (300.5, 500.25)), ((1079, 1919), (1500.5, 800))],
    ids=["641 x 479", "479 x 641", "1919 x 1079"],
)
@pytest.mark.parametrize(
    "graph", [one_stage_spot(), yolo_pose_spot()], ids=["BGR from 0 to 255", "RGB from 0 to 1"]
)
def test_a_one_stage_model_gets_the_input_of_its_training(make, tmp_path, graph, size, center):
    weights = save(tmp_path / "m.onnx", graph)
    poses = make(weights=str(weights)).estimate(red_spot_image(size, center))
    tolerance = 0.2 * max(size) / 320  # a fifth of a pixel of the input
    np.testing.assert_allclose(poses.keypoints[0], np.tile(center, (17, 1)), atol=tolerance)
    np.testing.assert_allclose(poses.keypoint_scores, 0.8, atol=1e-6)


# Two people in an image of 640 x 480, whose detector's input has half its size.
PEOPLE = np.array([(20.0, 30.0, 80.0, 200.0), (200.0, 40.0, 300.0, 180.0)])
SPOTS = np.array([(101.25, 230.5), (480.5, 200.75)])
DETECTORS = {
    "RTMDet": (
        {
            "dets": np.column_stack([np.vstack([PEOPLE, PEOPLE[:1]]), (0.9, 0.7, 0.8)]),
            "labels": np.array([0, 0, 16]),
        },
        {},
    ),
    "YOLO, raw": (
        {
            "output0": np.pad(
                np.vstack([
                    (PEOPLE[:, :2] + PEOPLE[:, 2:]).T / 2,
                    (PEOPLE[:, 2:] - PEOPLE[:, :2]).T,
                    [(0.9, 0.7)],
                    np.zeros((79, 2)),
                ]),
                ((0, 0), (0, 98)),
            )
        },
        {},
    ),
    "YOLO, end-to-end": (
        {"output0": np.pad(np.column_stack([PEOPLE, (0.9, 0.7), (0, 0)]), ((0, 298), (0, 0)))},
        {"task": "detect", "names": "{0: 'person', 1: 'bicycle'}"},
    ),
}  # fmt: skip


@pytest.fixture
def detector(tmp_path):
    """Return a function that writes a detector of this name and returns its path."""

    def write(name="RTMDet"):
        outputs, metadata = DETECTORS[name]
        graph = constant_graph(outputs, size=(240, 320))
        return str(save(tmp_path / "detector.onnx", graph, metadata))

    return write


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(
    ("graph", "score", "tolerance"),
    [
        # A bin is half a pixel of the input, which is up to 1.7 pixels of the image.
        pytest.param(simcc_spot(MEAN, STD), 0.7, 0.5, id="SimCC"),
        pytest.param(heatmap_spot(MEAN, STD, (4.0, 4.0)), 0.9, 0.15, id="heatmaps of HRNet"),
        pytest.param(
            heatmap_spot(MEAN, STD, (191 / 47, 255 / 63), transformer=True),
            0.9,
            0.15,
            id="heatmaps of ViTPose",
        ),
    ],
)
def test_a_top_down_model_finds_each_person_in_the_detector_s_box(
    make, tmp_path, detector, name, graph, score, tolerance
):
    weights = save(tmp_path / "m.onnx", graph)
    estimator = make(weights=str(weights), detector_weights=detector(name))
    image = red_spot_image((480, 640), *SPOTS, radius=20)
    poses = estimator.estimate(image)
    np.testing.assert_allclose(poses.scores, (0.9, 0.7), atol=1e-6)
    np.testing.assert_allclose(poses.boxes, PEOPLE * 2 + 0.5, atol=1e-3)
    expected = np.repeat(SPOTS[:, None], 17, axis=1)
    np.testing.assert_allclose(poses.keypoints, expected, atol=tolerance)
    assert ((poses.keypoint_scores > score - 0.3) & (poses.keypoint_scores <= score)).all()


def test_people_of_several_images_go_through_a_top_down_model_together(make, tmp_path, detector):
    weights = save(tmp_path / "m.onnx", heatmap_spot(MEAN, STD, (4.0, 4.0)))
    estimator = make(weights=str(weights), detector_weights=detector())
    images = [
        red_spot_image((480, 640), *(SPOTS + shift), radius=20) for shift in ((0, 0), (7, -9))
    ]
    together = estimator.estimate_batch([*images, np.zeros((480, 640, 3), np.uint8)])
    for image, poses in zip(images, together, strict=False):
        np.testing.assert_array_equal(poses.keypoints, estimator.estimate(image).keypoints)
    assert len(together) == 3
    assert estimator.estimate_batch([]) == []


@pytest.mark.parametrize(
    ("first", "mean", "std"),
    [
        pytest.param("images", (103.53, 116.28, 123.675), (57.375, 57.12, 58.395), id="RTMDet"),
        # The Focus layer of YOLOX takes every other pixel.
        pytest.param("Slice (images, s0, e, ax, st)", (0.0,) * 3, (1.0,) * 3, id="YOLOX"),
    ],
)
def test_a_detector_of_mmdetection_gets_the_input_of_its_training(
    make, tmp_path, first, mean, std
):
    lines = [integers("s0", 0), integers("e", 999), integers("ax", 3), integers("st", 2)]
    focus = "\n".join([*lines, f"focus = {first if '(' in first else 'Identity (s0)'}"])
    graph = detector_spot(mean, std).replace("{\n", "{\n" + focus + "\n", 1)
    path = save(tmp_path / "detector.onnx", graph)
    weights = save(tmp_path / "m.onnx", heatmap_spot(MEAN, STD, (4.0, 4.0)))
    estimator = make(weights=str(weights), detector_weights=str(path))
    # Scaled by a half, the image is in the upper left of the input of 320 x 256.
    poses = estimator.estimate(red_spot_image((481, 639), (300.5, 200.25)))
    np.testing.assert_allclose(poses.boxes, [[260.5, 120.25, 340.5, 280.25]], atol=0.7)
    np.testing.assert_allclose(poses.keypoints[0], np.tile((300.5, 200.25), (17, 1)), atol=0.3)


def test_without_people_a_top_down_model_does_not_run(make, tmp_path):
    nobody = constant_graph({"dets": np.zeros((0, 5)), "labels": np.zeros(0, int)})
    detector = save(tmp_path / "detector.onnx", nobody)
    weights = save(tmp_path / "m.onnx", simcc_spot(MEAN, STD))
    poses = make(weights=str(weights), detector_weights=str(detector)).estimate(
        np.zeros((48, 64, 3), np.uint8)
    )
    assert poses.keypoints.shape == (0, 17, 2)


@pytest.mark.parametrize("batch", ["N", 1, 3])
def test_images_of_several_sizes_and_any_number_fit_the_model_s_batch(make, tmp_path, batch):
    weights = save(tmp_path / "m.onnx", constant_graph(one_stage(), batch=batch))
    estimator = make(weights=str(weights))
    images = [np.zeros((*size, 3), np.uint8) for size in ((57, 101), (101, 57), (64, 96), (9, 9))]
    for image, poses in zip(images, estimator.estimate_batch(images), strict=True):
        np.testing.assert_array_equal(poses.keypoints, estimator.estimate(image).keypoints)
    # On a CPU a batch takes as long as its images one by one.
    assert not estimator.batches


@pytest.mark.parametrize(
    ("metadata", "parameter", "sides"),
    [
        # 1919 x 1079 scaled to 640 has 360 rows, in steps of 32 that is 384: 12 above.
        pytest.param({}, 0, (384, 640), id="640"),
        pytest.param(POSE | {"imgsz": "[320, 320]"}, 0, (192, 320), id="of the export"),
        pytest.param(POSE, 1280, (736, 1280), id="of the parameter"),
        # In steps of 64 that is 384 as well; 1280 has 720 rows, which are 768.
        pytest.param(POSE | {"stride": "64"}, 1280, (768, 1280), id="a stride of 64"),
        pytest.param(POSE | {"imgsz": "640", "stride": "[]"}, 0, (384, 640), id="other metadata"),
    ],
)
def test_a_model_of_any_size_gets_a_rectangle(make, tmp_path, metadata, parameter, sides):
    weights = save(tmp_path / "m.onnx", yolo_pose_spot(size=("H", "W")), metadata)
    estimator = make(weights=str(weights), onnx_input_size=parameter)
    image = red_spot_image((1079, 1919), (1500.5, 800))
    session = estimator._sessions[0]
    shapes = []
    run = session.run
    session.run = lambda inputs: (shapes.append(inputs.shape), run(inputs))[1]
    poses = estimator.estimate(image)
    assert shapes == [(1, 3, *sides)]
    np.testing.assert_allclose(poses.keypoints[0, 0], (1500.5, 800), atol=2)
    assert f", {sides[1]} px, " in estimator.description


def test_a_top_down_model_may_leave_its_size_open(make, tmp_path, detector):
    # As transformers exports ViTPose: the position embeddings fit one size only.
    lines = [integers("only", -1, 3, 256, 192), "fixed = Reshape (images, only)"]
    graph = heatmap_spot(MEAN, STD, (4.0, 4.0)).replace("(images", "(fixed")
    graph = graph.replace("{\n", "{\n" + "\n".join(lines) + "\n", 1)
    graph = graph.replace("float[N, 3, 256, 192]", "float[N, C, H, W]")
    weights = save(tmp_path / "m.onnx", graph)
    estimator = make(weights=str(weights), detector_weights=detector())
    poses = estimator.estimate(red_spot_image((480, 640), *SPOTS, radius=20))
    np.testing.assert_allclose(poses.keypoints[:, 0], SPOTS, atol=0.15)


def test_float16_models_get_and_return_float16(make, tmp_path):
    graph = constant_graph(one_stage(), dtype="float16")
    estimator = make(weights=str(save(tmp_path / "m.onnx", graph)))
    poses = estimator.estimate(np.zeros((64, 96, 3), np.uint8))
    np.testing.assert_allclose(poses.keypoints[0], POINTS, atol=1e-3)
    np.testing.assert_allclose(poses.keypoint_scores[0], SCORES, atol=1e-3)
    assert estimator.description.endswith("CPUExecutionProvider, float16")


def test_the_description_names_type_skeleton_size_provider_and_precision(make, tmp_path, detector):
    weights = save(tmp_path / "m.onnx", constant_graph(one_stage()))
    assert make(weights=str(weights)).description == (
        "ONNX one-stage pose model, coco17, 96 x 64 px, CPUExecutionProvider, float32"
    )
    weights = save(tmp_path / "s.onnx", simcc_spot(MEAN, STD))
    assert make(weights=str(weights), detector_weights=detector()).description == (
        "ONNX top-down SimCC model with RTMDet 320 x 240 px, coco17, 192 x 256 px, "
        "CPUExecutionProvider, float32"
    )


@pytest.mark.parametrize(
    ("k", "name"), [(14, "crowdpose14"), (26, "halpe26"), (133, "wholebody133")]
)
def test_other_numbers_of_keypoints_have_their_skeleton(make, tmp_path, detector, k, name):
    keypoints = np.zeros((1, k, 3))
    keypoints[0, -1] = (30, 40, 1.5)
    outputs = {"dets": np.array([[*BOX, 1.2]]), "keypoints": keypoints}
    estimator = make(weights=str(save(tmp_path / "m.onnx", constant_graph(outputs))))
    poses = estimator.estimate(np.zeros((64, 96, 3), np.uint8))
    assert estimator.skeleton.name == name
    np.testing.assert_allclose(poses.keypoints[0, -1], (30, 40))
    # Scores above 1 are limited.
    assert poses.keypoint_scores[0, -1] == poses.scores[0] == 1
    for graph in (
        simcc_spot(MEAN, STD, n_keypoints=k),
        heatmap_spot(MEAN, STD, (4.0, 4.0), n_keypoints=k),
    ):
        weights = str(save(tmp_path / "top_down.onnx", graph))
        estimator = make(weights=weights, detector_weights=detector())
        assert estimator.skeleton.name == name
        assert estimator.estimate(np.zeros((9, 9, 3), np.uint8)).keypoints.shape[1] == k


def test_keypoints_without_a_score_have_that_of_the_person(make, tmp_path):
    output = np.zeros((4 + 1 + 34, 50))
    output[:5, 3] = (20, 20, 10, 30, 0.75)
    output[5:, 3] = POINTS.ravel()
    weights = save(
        tmp_path / "m.onnx", constant_graph({"output0": output}), POSE | {"kpt_shape": "[17, 2]"}
    )
    poses = make(weights=str(weights)).estimate(np.zeros((64, 96, 3), np.uint8))
    np.testing.assert_allclose(poses.keypoints[0], POINTS, atol=1e-4)
    np.testing.assert_allclose(poses.keypoint_scores, 0.75)


def test_only_people_of_enough_score_are_returned_best_first(make, tmp_path):
    weights = str(save(tmp_path / "m.onnx", constant_graph(one_stage((0.2, 0.9, 0.05, 0.5)))))
    image = np.zeros((64, 96, 3), np.uint8)
    scores = make(weights=weights).estimate(image).scores
    np.testing.assert_allclose(scores, (0.9, 0.5, 0.2))
    scores = make(weights=weights, max_people=2, min_person_score=0.5).estimate(image).scores
    np.testing.assert_allclose(scores, (0.9, 0.5))


def test_people_who_are_not_finite_are_left_out(make, tmp_path):
    outputs = one_stage((0.81, 0.64, 0.49))
    outputs["keypoints"][0, 3, 0] = outputs["dets"][1, 2] = -1.0
    graph = constant_graph(outputs)
    for name in outputs:  # the square root of -1 is NaN
        last = f"{name} = Cast <to = 1> ("
        graph = graph.replace(
            f"{last}{name}_float)", f"root_{name} = Sqrt ({name}_float)\n{last}root_{name})"
        )
    weights = save(tmp_path / "m.onnx", graph)
    poses = make(weights=str(weights)).estimate(np.zeros((64, 96, 3), np.uint8))
    np.testing.assert_allclose(poses.scores, [0.7])


def refusal(**settings):
    """Return the one line that says why the estimator cannot be made."""
    settings = {"name": "onnx", "threads": 1} | settings
    with pytest.raises(EstimatorError) as caught:
        make_estimator(Config(estimator=EstimatorConfig(**settings)))
    (line,) = str(caught.value).splitlines()
    return line


# Rows of all images together, as YOLOv7 exports them.
NO_BATCH_AXIS = """
m (float[N, 3, 64, 96] images) => (float[M, 7] rows) {
flat = GlobalAveragePool (images)
none = Constant <value = int64[1] {0}> ()
seven = Constant <value = int64[2] {0, 7}> ()
few = Slice (flat, none, none)
rows = Reshape <allowzero = 1> (few, seven)
}"""
UNSUPPORTED = [
    pytest.param(NO_BATCH_AXIS, {}, id="an output without the batch axis"),
    pytest.param(constant_graph({"probabilities": np.zeros(1000)}), {}, id="a classifier"),
    pytest.param(constant_graph({"masks": np.zeros((21, 64, 96))}), {}, id="segmentation"),
    pytest.param(constant_graph({"output0": np.zeros((84, 8400))}), {}, id="a detector"),
    pytest.param(constant_graph(yolo_raw()), {"task": "segment"}, id="another task"),
    pytest.param(constant_graph(yolo_raw()), POSE | {"kpt_shape": "[26, 3]"}, id="other metadata"),
]


@pytest.mark.parametrize(("graph", "metadata"), UNSUPPORTED)
def test_an_unsupported_model_is_refused_with_its_outputs_and_the_supported_types(
    tmp_path, graph, metadata
):
    path = save(tmp_path / "m.onnx", graph, metadata)
    line = refusal(weights=str(path))
    assert line.startswith(
        f"weights {path} are of no supported type: inputs images (N, 3, 64, 96) tensor(float); "
        "outputs "
    )
    assert "; supported: one-stage pose (RTMO, YOLOX-Pose): dets (B, N, 5) and keypoints" in line
    assert line.endswith("top-down heatmaps (ViTPose, HRNet): (B, K, H, W)")


def test_another_number_of_keypoints_is_refused_with_the_allowed_ones(tmp_path):
    outputs = {"dets": np.zeros((1, 5)), "keypoints": np.zeros((1, 21, 3))}
    path = save(tmp_path / "hand.onnx", constant_graph(outputs))
    assert refusal(weights=str(path)) == (
        f"weights {path} have 21 keypoints per person, must be 14 (crowdpose14), "
        "17 (coco17), 26 (halpe26), 133 (wholebody133)"
    )


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        pytest.param(
            "m (float[N, 64, 64, 3] images) => (float[N, 64, 64, 3] y) { y = Relu (images) }",
            "must have one input of images, (B, 3, H, W)",
            id="channels last",
        ),
        pytest.param(
            "m (float[N, 3, 64, 64] images, float[N] which) => (float[N, 3, 64, 64] y) "
            "{ y = Relu (images) }",
            "inputs images (N, 3, 64, 64) tensor(float), which (N) tensor(float); outputs y",
            id="two inputs",
        ),
        pytest.param(
            "m (uint8[N, 3, 64, 64] images) => (uint8[N, 3, 64, 64] y) { y = Identity (images) }",
            "the input must be of type tensor(float) or tensor(float16)",
            id="uint8",
        ),
        pytest.param(
            "m (float[N, 3, H, W] x) => (float[N, 3, H, W] y) "
            "{ w = Constant <value = float[5] {1.0, 2.0, 3.0, 4.0, 5.0}> () y = Add (x, w) }",
            "do not run on CPUExecutionProvider: ",
            id="no size that is tried fits",
        ),
    ],
)
def test_an_input_that_is_not_images_is_refused(tmp_path, graph, words):
    path = save(tmp_path / "m.onnx", graph)
    assert words in refusal(weights=str(path))


def test_files_that_are_missing_or_damaged_are_named(tmp_path):
    assert refusal() == (
        "estimator.weights is default, but this network has no published weights; must be the "
        "path of a file"
    )
    assert refusal(weights="/no.onnx").startswith("estimator.weights is '/no.onnx', which is not")
    whole = save(tmp_path / "m.onnx", constant_graph(one_stage())).read_bytes()
    for content in (b"", b"garbage" * 99, whole[: len(whole) // 2]):
        (tmp_path / "damaged.onnx").write_bytes(content)
        line = refusal(weights=str(tmp_path / "damaged.onnx"))
        assert line.startswith(
            f"weights {tmp_path}/damaged.onnx cannot be loaded as an ONNX model: "
        )


def test_a_top_down_model_needs_a_detector(tmp_path):
    path = str(save(tmp_path / "m.onnx", simcc_spot(MEAN, STD)))
    for given in ("", "/no.onnx"):
        assert refusal(weights=path, detector_weights=given) == (
            f"estimator.detector_weights is {given!r}, must be the path of a person detector, "
            f"which the top-down SimCC model {path} needs"
        )
    line = refusal(weights=path, detector_weights=path)
    assert "are of no supported type" in line
    assert line.endswith(
        "; supported: RTMDet or YOLOX detector: dets (B, N, 5) and labels (B, N); YOLO detector, "
        "raw: (B, 4 + classes, A); YOLO detector, end-to-end: (B, N, 6)"
    )


@pytest.mark.parametrize(
    ("dtype", "settings", "words"),
    [
        ("float", {"precision": "float16"}, "float16, but the model is float32"),
        ("float", {"precision": "bfloat16"}, "bfloat16, but the model is float32"),
        ("float16", {"precision": "float32"}, "float32, but the model is float16"),
        (
            "float",
            {"device": "cuda:1"},
            "estimator.device is 'cuda:1', but the installed ONNX Runtime has only ",
        ),
    ],
)
def test_a_precision_or_device_that_is_not_available_is_refused(tmp_path, dtype, settings, words):
    import onnxruntime

    if "device" in settings and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build of ONNX Runtime has the CUDA provider")
    path = save(tmp_path / "m.onnx", constant_graph(one_stage(), dtype=dtype))
    assert words in refusal(weights=str(path), **({"device": "cpu"} | settings))


def test_images_for_which_there_is_no_memory_are_an_error_of_their_own(make, tmp_path):
    # The model needs two terabytes for two images, and nothing for one.
    lines = [
        *(integers(name, value) for name, value in (("i", 0), ("one", 1), ("huge", 5 * 10**11))),
        "all = Shape (images)",
        "n = Gather <axis = 0> (all, i)",
        "more = Sub (n, one)",
        "length = Mul (more, huge)",
        "zeros = ConstantOfShape (length)",
        "sum = ReduceSum <keepdims = 0> (zeros)",
        "x = Add (images, sum)",
    ]
    weights = save(tmp_path / "m.onnx", constant_graph(one_stage(), first="\n".join(lines)))
    estimator = make(weights=str(weights))
    image = np.zeros((64, 96, 3), np.uint8)
    with pytest.raises(OutOfMemoryError, match=r"batch of 2 on CPUExecutionProvider .* at most 1"):
        estimator.estimate_batch([image, image])
    assert [len(poses) for poses in estimator.estimate_batch([image, image])] == [1, 1]


def test_closing_twice_does_nothing(tmp_path):
    weights = save(tmp_path / "m.onnx", constant_graph(one_stage()))
    settings = EstimatorConfig(name="onnx", weights=str(weights), threads=1)
    estimator = make_estimator(Config(estimator=settings))
    estimator.close()
    estimator.close()


@pytest.mark.parametrize(
    ("graph", "title"),
    [
        (constant_graph(one_stage()), "one-stage pose model, 17 keypoints, 96 x 64 px"),
        (constant_graph(yolo_raw()), "YOLO pose model, 17 keypoints, 96 x 64 px"),
        (yolo_pose_spot(size=("H", "W")), "YOLO pose model, 17 keypoints, 640 px"),
        (simcc_spot(MEAN, STD), "top-down SimCC model, 17 keypoints, 192 x 256 px"),
        (constant_graph(DETECTORS["RTMDet"][0]), "RTMDet detector, 96 x 64 px"),
        (constant_graph(DETECTORS["YOLO, raw"][0]), "YOLO detector, 96 x 64 px"),
    ],
    ids=["one-stage", "YOLO", "YOLO of any size", "SimCC", "RTMDet", "YOLO detector"],
)
def test_a_file_is_verified_with_its_type(tmp_path, graph, title):
    assert verify(save(tmp_path / "m.onnx", graph), Config()) == title
    assert verify(tmp_path / "m.pth", Config()) is None


def test_a_damaged_file_is_not_verified(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"garbage")
    with pytest.raises(EstimatorError, match="cannot be loaded"):
        verify(tmp_path / "m.onnx", Config())
    path = save(tmp_path / "m.onnx", UNSUPPORTED[0].values[0])
    with pytest.raises(EstimatorError, match=r"one-stage pose .* RTMDet or YOLOX detector"):
        verify(path, Config())
