"""What files of weights torchvision's network takes, and what it makes of them."""

import hashlib
import re

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from torchvision.models import resnet18  # noqa: E402
from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights  # noqa: E402
from torchvision.models.detection.faster_rcnn import FasterRCNN  # noqa: E402
from torchvision.ops.misc import FrozenBatchNorm2d  # noqa: E402
from torchvision_state import state  # noqa: E402

from poseflow_ros.estimation import torchvision_rcnn  # noqa: E402
from poseflow_ros.estimation.errors import EstimatorError  # noqa: E402
from poseflow_ros.estimation.sources import WebAddress  # noqa: E402
from poseflow_ros.estimation.torchvision_rcnn import published, read_model  # noqa: E402
from poseflow_ros.estimation.weights import ModelFile  # noqa: E402

# Since 0.14 torchvision writes `.0.0.` or `.0.` more in some names, here the second group.
NEW_NAME = r"^(backbone\.fpn\.\w+_blocks\.\d|rpn\.head\.conv)((?:\.0)+)(\.\w+)$"


def saved(path, weights):
    torch.save(weights, path)
    return path


def refusal(path):
    """Return the one line that refuses a file."""
    with pytest.raises(EstimatorError) as caught:
        read_model(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"weights {path} are of another network")
    return line


def assert_holds(model, weights):
    found = model.state_dict()
    assert set(found) == set(weights)
    assert all((found[name] == value).all() for name, value in weights.items())
    assert not model.training


def eps(model):
    return {module.eps for module in model.modules() if isinstance(module, FrozenBatchNorm2d)}


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_depth_is_detected_from_the_file(depth, tmp_path):
    weights = state(f"resnet{depth}")
    model = read_model(saved(tmp_path / "weights.pth", weights))
    assert model.backbone.title == f"R{depth}-FPN"
    assert_holds(model, weights)


def test_training_checkpoint_is_read(tmp_path):
    weights = state()
    path = saved(tmp_path / "checkpoint.pth", {"model": weights, "epoch": 3})
    assert_holds(read_model(path), weights)


def test_old_names_of_the_pyramid_are_accepted(tmp_path):
    weights = state()
    old = {re.sub(NEW_NAME, r"\1\3", name): value for name, value in weights.items()}
    assert {"backbone.fpn.inner_blocks.0.weight", "rpn.head.conv.weight"} <= set(old)
    assert len(set(old) - set(weights)) == 18
    assert_holds(read_model(saved(tmp_path / "weights.pth", old)), weights)


def test_weights_with_trained_norms_are_accepted(tmp_path):
    weights = state(norm=torch.nn.BatchNorm2d)
    assert any(name.endswith("num_batches_tracked") for name in weights)
    model = read_model(saved(tmp_path / "weights.pth", weights))
    kept = {name: x for name, x in weights.items() if not name.endswith("num_batches_tracked")}
    assert_holds(model, kept)


def test_the_published_norms_divide_by_the_variance_alone(tmp_path, monkeypatch):
    path = saved(tmp_path / "mine.pth", state())
    another = saved(tmp_path / "another.pth", {"model": state()})
    assert eps(read_model(path)) == {1e-5}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    model = ModelFile("keypoint_rcnn", "theirs.pth", WebAddress("http://[::1]:1"), digest)
    monkeypatch.setattr(torchvision_rcnn, "published", lambda: (model,))
    assert eps(read_model(path)) == {0.0}  # wherever it lies, whatever it is called
    assert eps(read_model(another)) == {1e-5}


@pytest.mark.parametrize(
    "environment",
    [{}, {"XDG_CACHE_HOME": "/xdg"}, {"XDG_CACHE_HOME": "/xdg", "TORCH_HOME": "~/torch"}],
    ids=["no variable", "XDG", "torch's own"],
)
def test_the_published_file_is_where_torchvision_keeps_it(environment, monkeypatch):
    for name in ("XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (model,) = published()
    assert str(model.folder) == f"{torch.hub.get_dir()}/checkpoints"
    assert model.source.url == KeypointRCNN_ResNet50_FPN_Weights.COCO_V1.url
    # What torchvision's documentation calls KeypointRCNN_ResNet50_FPN_Weights.COCO_V1.
    assert model.name == "keypointrcnn_resnet50_fpn_coco-fc266e95.pth"
    assert (model.digest, model.algorithm) == ("fc266e95", "sha256")


def test_five_keypoints_are_rejected(tmp_path):
    line = refusal(saved(tmp_path / "weights.pth", state(num_keypoints=5)))
    assert "keypoint_predictor.kps_score_lowres.weight" in line
    assert "[512, 5, 4, 4]" in line
    assert "[512, 17, 4, 4]" in line


def without(weights, start):
    return {name: value for name, value in weights.items() if not name.startswith(start)}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        # the weights, what the line tells
        pytest.param(
            lambda: resnet18(weights=None).state_dict(), "no backbone of 18, 34", id="a classifier"
        ),
        pytest.param(lambda: {"kernel": torch.zeros(2)}, "no backbone of 18, 34", id="a stranger"),
        pytest.param(
            lambda: without(state("resnet34"), "backbone.body.layer3.5."),
            "no backbone of 18, 34",
            id="a block too few",
        ),
        pytest.param(
            lambda: state(kind=FasterRCNN),
            "roi_heads.keypoint_head.0.weight is missing, and 17 more",
            id="no keypoints",
        ),
        pytest.param(
            lambda: state("wide_resnet50_2"),
            "size mismatch for backbone.body.layer1.0.conv1.weight",
            id="a wide ResNet",
        ),
        pytest.param(
            lambda: without(state(), "backbone.body.layer1.0.bn1.weight"),
            "backbone.body.layer1.0.bn1.weight is missing",
            id="one missing",
        ),
        pytest.param(
            lambda: state() | {"roi_heads.mask_head.mask_fcn1.weight": torch.zeros(1)},
            "roi_heads.mask_head.mask_fcn1.weight is unexpected",
            id="masks too",
        ),
    ],
)
def test_weights_of_another_network_are_rejected(make, told, tmp_path):
    assert told in refusal(saved(tmp_path / "weights.pth", make()))
