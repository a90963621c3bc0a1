"""Keypoint R-CNN of torchvision, compared with torchvision's own call. Weights are random."""

import gc
import hashlib
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter

import cv2
import numpy as np
import pytest

pytest.importorskip("torchvision", reason="torchvision does not import")

import torch
from estimators import estimator_maker
from torch import nn
from torchvision.models.detection import KeypointRCNN as LibraryKeypointRCNN
from torchvision.models.detection import keypointrcnn_resnet50_fpn
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.misc import FrozenBatchNorm2d

from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation import torchvision_rcnn
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.estimation.frozen_norm import fold
from poseflow_ros.estimation.sources import WebAddress
from poseflow_ros.estimation.weights import ModelFile
from poseflow_ros.tracking.similarity import box_iou

# Few regions for the box head, few people for the keypoint head: both take long on a CPU.
SIDES = {"image_min_side": 32, "image_max_side": 64, "max_people": 5}
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device answers")


def picture(height, width, seed=0):
    """Return an image of soft blobs."""
    shape = (max(2, height // 16), max(2, width // 16), 3)
    coarse = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def shake_norms(model):
    """Give every norm statistics of its own, as training does."""
    with torch.no_grad():
        for norm in model.modules():
            if isinstance(norm, FrozenBatchNorm2d | nn.BatchNorm2d):
                norm.weight.uniform_(0.5, 1.5)
                norm.bias.normal_(0, 0.1)
                norm.running_mean.normal_(0, 0.1)
                norm.running_var.uniform_(0.5, 1.5)
    return model


def saved(model, folder):
    path = folder / "weights.pth"
    torch.save(model.state_dict(), path)
    return str(path)


def small_model(depth=18):
    torch.manual_seed(depth)
    backbone = resnet_fpn_backbone(
        backbone_name=f"resnet{depth}", weights=None, norm_layer=FrozenBatchNorm2d
    )
    model = LibraryKeypointRCNN(backbone, 2, num_keypoints=17, box_score_thresh=0.0)
    return shake_norms(model).eval()


@pytest.fixture(scope="module")
def library():
    """Return torchvision's model on a ResNet-18, which answers fast."""
    return small_model()


@pytest.fixture(scope="module")
def weights(library, tmp_path_factory):
    return saved(library, tmp_path_factory.mktemp("resnet18"))


@pytest.fixture(scope="module")
def make(weights):
    """Return a function that makes an estimator; all are closed in the end."""
    with estimator_maker(
        name="keypoint_rcnn",
        weights=weights,
        device="cpu",
        min_person_score=0.0,
        threads=2,
        **SIDES,
    ) as make_one:
        yield make_one


@pytest.fixture(scope="module")
def estimator(make):
    return make()


def expected(model, image, *, min_side=32, max_side=64, max_people=5, min_score=0.0):
    """Return what torchvision's own call finds: boxes, scores, keypoints."""
    model.transform.min_size, model.transform.max_size = (min_side,), max_side
    model.roi_heads.detections_per_img = max_people
    model.roi_heads.score_thresh = min_score
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1) / 255
    with torch.inference_mode():
        (answer,) = model([pixels])
    return [answer[name].numpy() for name in ("boxes", "scores", "keypoints")]


def assert_as_expected(poses, answer):
    boxes, scores, keypoints = answer
    assert len(poses) == len(boxes)
    np.testing.assert_allclose(poses.boxes, boxes, rtol=0, atol=1e-3)
    np.testing.assert_allclose(poses.scores, scores, rtol=0, atol=1e-3)
    np.testing.assert_allclose(poses.keypoints, keypoints[..., :2], rtol=0, atol=0.5)
    # The maximum between the pixels is somewhere else.
    assert np.abs(poses.keypoints - keypoints[..., :2]).max() > 1e-3
    assert ((poses.keypoint_scores >= 0) & (poses.keypoint_scores <= 1)).all()


def assert_same(poses, other, atol_px=0.05):
    # Convolutions of several images at once are rounded differently.
    assert len(poses) == len(other)
    np.testing.assert_allclose(poses.boxes, other.boxes, rtol=0, atol=atol_px)
    np.testing.assert_allclose(poses.scores, other.scores, rtol=0, atol=1e-3)
    apart = np.linalg.norm(poses.keypoints - other.keypoints, axis=2)
    # A heatmap of noise may have two peaks of one height.
    assert (apart > 0.5).sum() <= 0.01 * apart.size


class TestLikeTheLibrary:
    @pytest.fixture(scope="class")
    def resnet50(self):
        torch.manual_seed(1)
        return keypointrcnn_resnet50_fpn(
            weights=None, weights_backbone=None, box_score_thresh=0.0
        ).eval()

    @pytest.fixture(scope="class")
    def estimator50(self, resnet50, make, tmp_path_factory):
        path = saved(resnet50, tmp_path_factory.mktemp("resnet50"))
        return make(weights=path, image_min_side=160, image_max_side=320)

    @pytest.mark.slow
    @pytest.mark.parametrize("size", [(480, 640), (640, 300)], ids=["landscape", "portrait"])
    def test_result_of_the_published_network_equals_torchvision(self, size, estimator50, resnet50):
        image = picture(*size)
        answer = expected(resnet50, image, min_side=160, max_side=320)
        assert len(answer[0]) == 5
        assert_as_expected(estimator50.estimate(image), answer)
        assert estimator50.description.startswith(
            "torchvision Keypoint R-CNN (R50-FPN), sides 160 to 320 px, CPU, float32"
        )

    @pytest.mark.parametrize(
        "size",
        [
            *[(48, 64), (97, 61), (32, 32), (1, 1), (1, 60), (60, 1), (12, 700)],
            pytest.param((2160, 3840), marks=pytest.mark.slow),
        ],
        ids=lambda size: f"{size[1]} x {size[0]}",
    )
    def test_images_of_any_size_equal_torchvision(self, size, estimator, library):
        image = picture(*size)
        assert_as_expected(estimator.estimate(image), expected(library, image))

    def test_mirrored_bgr_view_is_read_correctly(self, estimator, library):
        view = picture(96, 120)[::-1, ::-2, ::-1]
        assert_as_expected(estimator.estimate(view), expected(library, view))

    def test_transposed_view_is_read_correctly(self, estimator, library):
        view = picture(200, 300)[20:90, 30:150].transpose(1, 0, 2)
        assert_as_expected(estimator.estimate(view), expected(library, view))

    def test_read_only_image_is_accepted(self, estimator, library):
        image = picture(70, 80)
        image.flags.writeable = False
        assert_as_expected(estimator.estimate(image), expected(library, image))

    @pytest.mark.slow
    @pytest.mark.parametrize("sides", [(32, 32), (40, 1000), (60, 64)], ids=str)
    def test_image_sides_limit_the_input_size(self, sides, make, library):
        image = picture(90, 150)
        estimator = make(image_min_side=sides[0], image_max_side=sides[1])
        answer = expected(library, image, min_side=sides[0], max_side=sides[1])
        assert_as_expected(estimator.estimate(image), answer)

    @pytest.mark.slow
    @pytest.mark.parametrize("max_people", [1, 3, 30])
    def test_max_people_limits_the_people(self, max_people, make, library):
        image, sides = picture(90, 150), {"image_min_side": 64, "image_max_side": 128}
        answer = expected(library, image, min_side=64, max_side=128, max_people=max_people)
        assert len(answer[0]) <= max_people
        assert len(answer[0]) == max_people
        assert_as_expected(make(**sides | {"max_people": max_people}).estimate(image), answer)

    @pytest.mark.slow
    def test_min_person_score_discards_people(self, make, library):
        image = picture(90, 150)
        some = float(np.mean(expected(library, image)[1][2:4]))
        answer = expected(library, image, min_score=some)
        assert 0 < len(answer[0]) < 5
        assert_as_expected(make(min_person_score=some).estimate(image), answer)

    @pytest.mark.slow
    def test_norms_with_batch_counters_are_accepted(self, make, tmp_path):
        torch.manual_seed(5)
        backbone = resnet_fpn_backbone(
            backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d
        )
        model = LibraryKeypointRCNN(backbone, 2, num_keypoints=17, box_score_thresh=0.0)
        shake_norms(model).eval()
        image = picture(90, 150)
        poses = make(weights=saved(model, tmp_path)).estimate(image)
        assert_as_expected(poses, expected(model, image))

    @pytest.mark.slow
    def test_the_published_file_s_norms_divide_by_the_variance_alone(
        self, make, tmp_path, monkeypatch
    ):
        model = small_model()
        with torch.no_grad():
            # As small as what is usually added to it.
            model.backbone.body.bn1.running_var.fill_(1e-5)
            model.backbone.body.bn1.weight.mul_(1e-5**0.5)
        path = saved(model, tmp_path)
        digest = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()
        file = ModelFile("test", "weights.pth", WebAddress(""), digest[:8], folder=tmp_path)
        image = picture(90, 150)
        ordinary = expected(model, image)
        for norm in model.modules():
            if isinstance(norm, FrozenBatchNorm2d):
                norm.eps = 0.0
        published = expected(model, image)
        assert np.abs(published[1][0] - ordinary[1][0]) > 1e-3
        assert_as_expected(make(weights=path).estimate(image), ordinary)
        monkeypatch.setattr(torchvision_rcnn, "published", lambda: (file,))
        assert_as_expected(make(weights=path).estimate(image), published)


@pytest.mark.parametrize("size", [(1, 64), (1, 300), (5000, 3), (49, 49 * 64)], ids=str)
def test_image_scaled_to_zero_rows_gives_empty_poses(size, estimator):
    assert len(estimator.estimate(np.zeros((*size, 3), np.uint8))) == 0


@pytest.mark.slow
class TestBatch:
    @pytest.mark.parametrize(
        "sizes",
        [
            pytest.param([(60, 80)], id="one"),
            pytest.param([(60, 80)] * 3, id="of one size"),
            pytest.param([(60, 80), (80, 60), (60, 80), (64, 64), (80, 60)], id="mixed"),
        ],
    )
    def test_batch_gives_the_same_as_single_images(self, sizes, estimator):
        images = [picture(*size, seed) for seed, size in enumerate(sizes)]
        together = estimator.estimate_batch(images)
        assert len(together) == len(images)
        for poses, image in zip(together, images, strict=True):
            assert len(poses)
            assert_same(poses, estimator.estimate(image))

    def test_empty_batch_gives_an_empty_list(self, estimator):
        assert estimator.estimate_batch([]) == []

    @pytest.mark.slow
    def test_batch_with_and_without_people_is_separated(self, estimator, make):
        images = [picture(60, 80, seed) for seed in range(4)]
        images.sort(key=lambda image: estimator.estimate(image).scores[0])
        best = [estimator.estimate(image).scores[0] for image in images]
        between = float(np.mean(best[1:3]))
        sure = make(min_person_score=between)
        answers = sure.estimate_batch(images)
        assert [bool(len(poses)) for poses in answers] == [False, False, True, True]
        for poses, image in zip(answers, images, strict=True):
            assert_same(poses, sure.estimate(image))

    def test_order_is_kept_after_a_batch_was_too_large(self, estimator, monkeypatch):
        images = [picture(60, 80, seed) for seed in range(5)]
        expected_poses = estimator.estimate_batch(images)
        monkeypatch.setattr(estimator, "max_batch", 2)
        for poses, other in zip(estimator.estimate_batch(images), expected_poses, strict=True):
            assert_same(poses, other)


def test_image_without_people_gives_empty_poses(make):
    poses = make(min_person_score=1.0).estimate(picture(60, 80))
    assert poses.keypoints.shape == (0, 17, 2)
    assert poses.keypoint_scores.shape == (0, 17)
    assert poses.boxes.shape == (0, 4)
    assert poses.scores.shape == (0,)


def test_input_image_is_not_modified(estimator):
    image = picture(60, 80)
    before = image.copy()
    estimator.estimate(image)
    np.testing.assert_array_equal(image, before)


STAGES = ["copy in", "network", "decode", "copy out"]


def test_stages_end_in_order_once_for_each_size(estimator, monkeypatch):
    ended = []
    monkeypatch.setattr(estimator, "on_stage", ended.append)
    estimator.estimate(picture(60, 80))
    assert ended == STAGES
    ended.clear()
    estimator.estimate_batch([picture(*size) for size in ((60, 80), (80, 60), (60, 80))])
    assert ended == STAGES * 2


class TestHalfPrecision:
    IMAGES = (picture(120, 160, 1), picture(160, 120, 2))

    @pytest.fixture(scope="class")
    def exact(self, estimator):
        return [estimator.estimate(image) for image in self.IMAGES]

    def compared(self, estimator, exact):
        """Return how far keypoints move, in pixels, and scores, of people whom both find."""
        moved, scores, found, all_people = [], [], 0, 0
        for image, truth in zip(self.IMAGES, exact, strict=True):
            poses = estimator.estimate(image)
            assert ((poses.keypoint_scores >= 0) & (poses.keypoint_scores <= 1)).all()
            overlap = box_iou(truth.boxes, poses.boxes)
            both, same = overlap.max(axis=1) > 0.8, overlap.argmax(axis=1)
            apart = truth.keypoints[both] - poses.keypoints[same[both]]
            moved += np.linalg.norm(apart, axis=2).ravel().tolist()
            scores += np.abs(truth.scores[both] - poses.scores[same[both]]).tolist()
            found, all_people = found + both.sum(), all_people + len(both)
        print(f"{estimator.description}: median {np.median(moved):.3f} px, scores within "
              f"{max(scores):.4f}, {found} of {all_people}")  # fmt: skip
        return np.median(moved), max(scores), found / all_people

    @pytest.mark.slow
    # Of random weights' many boxes of nearly one score, others may survive in coarser numbers.
    @pytest.mark.parametrize(
        ("precision", "pixels", "score", "share"),
        [("float16", 0.5, 0.02, 0.7), ("bfloat16", 5.0, 0.2, 0.5)],
    )
    def test_people_are_at_the_expected_positions(
        self, precision, pixels, score, share, make, exact
    ):
        half = make(precision=precision)
        assert half.description.endswith(precision)
        kinds = Counter(type(module) for module in half.network.model.modules())
        assert (kinds[FrozenBatchNorm2d], kinds[nn.Identity]) == (0, 20)
        moved, scores, found = self.compared(half, exact)
        assert moved < pixels
        assert scores < score
        assert found >= share


@pytest.mark.parametrize("bias", [False, True], ids=["without a bias", "with a bias"])
@pytest.mark.parametrize("kind", [FrozenBatchNorm2d, nn.BatchNorm2d])
def test_folded_norm_gives_equal_results(kind, bias):
    torch.manual_seed(0)
    pair = shake_norms(nn.Sequential(nn.Conv2d(3, 8, 3, bias=bias), kind(8, eps=0.1))).eval()
    values = torch.randn(2, 3, 9, 9)
    with torch.inference_mode():
        before = pair(values)
    fold(pair[0], pair[1])
    with torch.inference_mode():
        torch.testing.assert_close(pair[0](values), before)


def test_other_thread_gives_the_same_result_with_the_same_threads(estimator):
    image, answers = picture(60, 80), []

    def work():
        answers.append((estimator.estimate(image), torch.get_num_threads()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    ((poses, threads),) = answers
    assert threads == 2
    np.testing.assert_array_equal(poses.keypoints, estimator.estimate(image).keypoints)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "allowed"), [("float32", False), ("bfloat16", True)])
def test_float32_means_no_tf32_in_convolutions(precision, allowed, make, monkeypatch):
    estimator, seen = make(precision=precision), []
    prepare = estimator.network.prepare

    def noting(images):
        seen.append(torch.backends.cudnn.allow_tf32)
        return prepare(images)

    monkeypatch.setattr(estimator.network, "prepare", noting)
    assert torch.backends.cudnn.allow_tf32  # as torch sets it
    estimator.estimate(picture(60, 80))
    assert seen == [allowed]
    assert torch.backends.cudnn.allow_tf32


def test_the_memory_on_the_device_is_what_torch_has_reserved(make, monkeypatch):
    estimator = make()
    assert estimator.device_bytes == 0
    monkeypatch.setattr(estimator, "device", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 7)
    assert estimator.device_bytes == 7
    monkeypatch.undo()


def live_tensors():
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


@pytest.mark.slow
def test_close_releases_every_tensor(weights):
    counts = []
    for _ in range(3):
        estimator = make_estimator(
            Config(
                estimator=EstimatorConfig(
                    name="keypoint_rcnn", weights=weights, device="cpu", **SIDES
                )
            )
        )
        estimator.estimate(picture(60, 80))
        opened = live_tensors()
        estimator.close()
        counts.append(live_tensors())
        assert counts[-1] < opened - 100
    assert counts == counts[:1] * 3


def test_close_may_be_called_twice(make):
    estimator = make()
    estimator.close()
    estimator.close()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch compiles with g++, which is missing")
def test_a_compiled_network_gives_the_same_and_is_not_compiled_again_for_another_size(make):
    # The node would take a network that is compiled again for one that hangs. torch compiles
    # inputs of less than some 300 pixels for themselves, so that the sides are larger here.
    sides = {"image_min_side": 320, "image_max_side": 640}
    compiled, plain = make(compile=True, **sides), make(**sides)
    with torch.compiler.set_stance("fail_on_recompile"):
        for size in ((480, 640), (720, 1280), (300, 240)):
            image = picture(*size)
            assert_same(compiled.estimate(image), plain.estimate(image))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_keypoints": 5}, "weights .* are of another network: size mismatch"),
        ({"backbone": "resnext50_32x4d"}, "weights .* are of another network"),
    ],
    ids=["five keypoints", "another backbone"],
)
def test_weights_of_another_network_are_rejected(changes, words, make, tmp_path):
    name = changes.pop("backbone", "resnet18")
    backbone = resnet_fpn_backbone(backbone_name=name, weights=None)
    model = LibraryKeypointRCNN(backbone, 2, **({"num_keypoints": 17} | changes))
    with pytest.raises(EstimatorError, match=words) as caught:
        make(weights=saved(model, tmp_path))
    assert len(str(caught.value).splitlines()) == 1


MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from poseflow_ros.config import Config, EstimatorConfig
from poseflow_ros.estimation.errors import OutOfMemoryError
from poseflow_ros.estimation.factory import make_estimator

estimator = make_estimator(Config(estimator=EstimatorConfig(
    name="keypoint_rcnn", weights=sys.argv[1], device="cpu", threads=2,
    image_min_side=32, image_max_side=64, max_people=5, min_person_score=0.0)))
images = [np.zeros((1080, 1920, 3), np.uint8)] * 6
small = images[0][:60, :80]
print(len(estimator.estimate_batch([small] * 6)[0]))
pages = int(Path("/proc/self/statm").read_text().split()[0])
room = pages * resource.getpagesize() + 60 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (room, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        estimator.estimate_batch(images)
    except OutOfMemoryError as error:
        print(error)
    print(len(estimator.estimate(small)))
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
print(*map(len, estimator.estimate_batch(images)))
"""


@pytest.mark.slow
def test_out_of_memory_halves_batches_and_the_next_image_is_processed(weights):
    command = [sys.executable, "-c", MEMORY, weights]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    people, first, one, second, other, rest = result.stdout.splitlines()
    pattern = r"out of memory with a batch of {}, 1920 x 1080 pixels, .*; the next .* at most {}"
    assert re.match(pattern.format(6, 3), first)
    assert re.match(pattern.format(3, 1), second)
    assert one == other == people
    assert len(rest.split()) == 6


@pytest.mark.parametrize(
    "name", ["cuda:99"] if torch.cuda.is_available() else ["cuda", "cuda:0", "cuda:9"]
)
def test_a_device_that_does_not_respond_is_reported(name, make):
    with pytest.raises(
        EstimatorError, match=f"^estimator.device is '{name}', but .*; must be"
    ) as caught:
        make(device=name)
    assert len(str(caught.value).splitlines()) == 1


@needs_gpu
class TestOnGpu:
    IMAGES = (picture(480, 640, 1), picture(640, 480, 2))

    @pytest.fixture(scope="class")
    def on_gpu(self, make):
        return make(device="cuda", precision="float32")

    def test_float32_on_gpu_equals_cpu(self, on_gpu, estimator):
        for image in self.IMAGES:
            poses, truth = on_gpu.estimate(image), estimator.estimate(image)
            assert len(poses) == len(truth)
            np.testing.assert_allclose(poses.boxes, truth.boxes, rtol=1e-3, atol=0.5)
            np.testing.assert_allclose(poses.scores, truth.scores, rtol=1e-3)
            apart = np.linalg.norm(poses.keypoints - truth.keypoints, axis=2)
            assert (apart < 0.5).mean() > 0.95

    def test_auto_is_float16_with_equal_positions(self, make, estimator):
        half = make(device="auto", precision="auto")
        assert half.description.endswith("float16")
        for image in self.IMAGES:
            poses, truth = half.estimate(image), estimator.estimate(image)
            overlap = box_iou(truth.boxes, poses.boxes)
            both, same = overlap.max(axis=1) > 0.8, overlap.argmax(axis=1)
            apart = truth.keypoints[both] - poses.keypoints[same[both]]
            assert both.mean() > 0.7
            assert np.median(np.linalg.norm(apart, axis=2)) < 0.02 * 640

    def test_close_releases_the_memory(self, weights):
        left = []
        for _ in range(50):
            estimator = make_estimator(
                Config(
                    estimator=EstimatorConfig(
                        name="keypoint_rcnn", weights=weights, device="cuda", **SIDES
                    )
                )
            )
            estimator.estimate(self.IMAGES[0])
            estimator.close()
            left.append(torch.cuda.memory_allocated())
        assert left == left[:1] * 50

    def test_out_of_memory_halves_batches_and_the_next_image_is_processed(self, make):
        estimator = make(device="cuda")
        total = torch.cuda.get_device_properties(0).total_memory
        room = torch.cuda.memory_reserved() + 400 * 2**20
        images = [np.zeros((2160, 3840, 3), np.uint8)] * 8
        torch.cuda.set_per_process_memory_fraction(room / total)
        try:
            with pytest.raises(Exception, match="out of memory with a batch of 8,") as caught:
                estimator.estimate_batch(images)
            assert estimator.max_batch == 4
            assert len(str(caught.value).splitlines()) == 1
            assert len(estimator.estimate(self.IMAGES[0]))
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        assert len(estimator.estimate_batch(images)) == 8
