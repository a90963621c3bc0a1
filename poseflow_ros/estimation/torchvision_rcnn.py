"""Keypoint R-CNN of torchvision: ResNet with a feature pyramid."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import KeypointRCNN as TorchvisionKeypointRCNN
from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights as PublishedWeights
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops.misc import FrozenBatchNorm2d

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.checkpoints import load_state, read_checkpoint
from poseflow_ros.estimation.estimator import EstimatorError
from poseflow_ros.estimation.frozen_norm import ScaleAndShift, fold
from poseflow_ros.estimation.keypoint_rcnn import MAX_SIZES, Size
from poseflow_ros.estimation.torch_device import convert, memory_format
from poseflow_ros.estimation.weights import ModelFile, WebAddress, find, is_intact
from poseflow_ros.skeleton import COCO_17

_STRIDE = 32
# Blocks of the third stage, and whether a block has three convolutions: the depth of the ResNet.
_DEPTHS = {(2, False): 18, (6, False): 34, (6, True): 50, (23, True): 101, (36, True): 152}


def published() -> ModelFile:
    """Return the weights that torchvision publishes, in its own cache."""
    url = PublishedWeights.COCO_V1.url
    name = url.rsplit("/", 1)[1]
    return ModelFile(
        title="keypoint_rcnn",
        name=name,
        source=WebAddress(url),
        # Its files are called after the beginning of their digest.
        digest=re.findall("[0-9a-f]{8,}", name)[-1],
        folder=Path(torch.hub.get_dir()) / "checkpoints",
    )


def all_published() -> Iterator[ModelFile]:
    """Yield every file of weights that torchvision publishes for this network."""
    yield published()


def read_model(path: Path) -> TorchvisionKeypointRCNN:
    """Return torchvision's model with the weights of a file, in evaluation.

    The file holds a state dictionary, as `torch.save(model.state_dict(), path)` writes it, or a
    checkpoint with one under `model`.

    Raises:
        EstimatorError: it cannot be read, or is of another network.
    """
    state = read_checkpoint(path)
    backbone = _backbone(path, state)
    model = TorchvisionKeypointRCNN(backbone, 2, num_keypoints=len(COCO_17.keypoint_names))
    load_state(model, state, path)
    if is_intact(published(), path):
        # torchvision trained these with norms that divide by the variance alone.
        for module in model.modules():
            if isinstance(module, FrozenBatchNorm2d):
                module.eps = 0.0
    return model.eval()


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The features of B images.

    Attributes:
        levels: (B, C, h, w) each, the finest first, as precise as the network is.
        exact: the same by name, float32.
        input_size: of the network's input, its padding included.
    """

    levels: list[Tensor]
    exact: dict[str, Tensor]
    input_size: Size


class TorchvisionNetwork:
    """torchvision's network behind the Protocol `keypoint_rcnn.Network`."""

    # Trained on COCO's keypoints as they stand: whole numbers are the centres of pixels.
    keypoint_offset = 0.0

    def __init__(
        self, config: EstimatorConfig, device: torch.device, precision: torch.dtype
    ) -> None:
        """Load the weights onto the device.

        Raises:
            EstimatorError: they cannot be had, read, or are of another network.
        """
        model = read_model(find(config.weights, published))
        model.transform.min_size = (config.image_min_side,)
        model.transform.max_size = config.image_max_side
        model.roi_heads.score_thresh = config.min_person_score
        model.roi_heads.detections_per_img = config.max_people
        self.name = f"torchvision Keypoint R-CNN ({model.backbone.title})"
        self._model, self._precision = model, precision
        self._format = memory_format(precision)
        _settle_norms(model.backbone, exactly=precision == torch.float32)
        heads = model.roi_heads
        parts = [model.backbone, model.rpn.head, heads.box_head, heads.box_predictor]
        parts += [heads.keypoint_head, heads.keypoint_predictor]
        convert(parts, device, precision)
        self._backbone = torch.compile(model.backbone) if config.compile else model.backbone
        self._mean, self._std = (
            torch.tensor(values, device=device).view(1, 3, 1, 1)
            for values in (model.transform.image_mean, model.transform.image_std)
        )
        self._anchors: dict[Size, Tensor] = {}

    def prepare(self, images: Tensor) -> tuple[Tensor, Size]:
        """Return the network's input, and the size of an image in it."""
        inputs = images.float().div_(255).sub_(self._mean).div_(self._std)
        # The transform takes one image, of any number of channels.
        channels, _ = self._model.transform.resize(inputs.flatten(0, 1))
        height, width = channels.shape[-2:]
        padding = (0, -width % _STRIDE, 0, -height % _STRIDE)
        return functional.pad(channels.view(-1, 3, height, width), padding), (height, width)

    def extract(self, inputs: Tensor) -> Pyramid:
        """Return the features of the images."""
        levels = self._backbone(inputs.to(self._precision, memory_format=self._format))
        return Pyramid(
            levels=list(levels.values()),
            exact={
                name: level.to(torch.float32, memory_format=torch.contiguous_format)
                for name, level in levels.items()
            },
            input_size=tuple(inputs.shape[-2:]),
        )

    def find_people(self, features: Pyramid, size: Size) -> tuple[list[Tensor], list[Tensor]]:
        """Return the boxes and scores of each image's people."""
        proposals = self._propose(features, size)
        heads, sizes = self._model.roi_heads, [size] * len(proposals)
        pooled = self._pool(heads.box_roi_pool, features, proposals)
        logits, deltas = heads.box_predictor(heads.box_head(pooled))
        boxes, scores, _ = heads.postprocess_detections(
            logits.float(), deltas.float(), proposals, sizes
        )
        return boxes, scores

    def heatmaps(self, features: Pyramid, boxes: list[Tensor]) -> Tensor:
        """Return the logits (N, K, 56, 56) of all people's keypoints."""
        heads = self._model.roi_heads
        pooled = self._pool(heads.keypoint_roi_pool, features, boxes)
        pooled = pooled.contiguous(memory_format=self._format)
        return heads.keypoint_predictor(heads.keypoint_head(pooled)).float().contiguous()

    def _propose(self, features: Pyramid, size: Size) -> list[Tensor]:
        """Return the regions (P, 4) of each image where somebody may be."""
        rpn = self._model.rpn
        objectness, deltas = rpn.head(features.levels)
        n, per_level = len(objectness[0]), [level[0].numel() for level in objectness]
        objectness, deltas = concat_box_prediction_layers(objectness, deltas)
        anchors = [self._anchors_of(features)] * n
        regions = rpn.box_coder.decode(deltas.float(), anchors).view(n, -1, 4)
        return rpn.filter_proposals(regions, objectness.float(), [size] * n, per_level)[0]

    def _pool(self, pool: Any, features: Pyramid, boxes: list[Tensor]) -> Tensor:
        # Half precision cannot say where in a wide image a box is, so pooling is exact. The size
        # with the padding is that of which the levels are powers of two.
        return pool(features.exact, boxes, [features.input_size] * len(boxes)).to(self._precision)

    def _anchors_of(self, features: Pyramid) -> Tensor:
        """Return the anchors of images of this size, made once for each size."""
        size = features.input_size
        if size not in self._anchors:
            if len(self._anchors) == MAX_SIZES:
                self._anchors.clear()
            levels = [level[:1].float() for level in features.levels]
            images = ImageList(levels[0].new_empty(1, 3, *size), [size])
            self._anchors[size] = self._model.rpn.anchor_generator(images, levels)[0]
        return self._anchors[size]


def _backbone(path: Path, state: Mapping[str, Tensor]) -> nn.Module:
    """Return an empty backbone of the depth that the weights have."""
    blocks = {name.split(".")[3] for name in state if name.startswith("backbone.body.layer3.")}
    bottleneck = "backbone.body.layer3.0.conv3.weight" in state
    depth = _DEPTHS.get((len(blocks), bottleneck))
    if depth is None:
        raise EstimatorError(
            f"weights {path} are of another network than torchvision's Keypoint R-CNN on a "
            "ResNet: there is no backbone of 18, 34, 50, 101 or 152 layers in them"
        )
    backbone = resnet_fpn_backbone(
        backbone_name=f"resnet{depth}", weights=None, norm_layer=FrozenBatchNorm2d
    )
    backbone.title = f"R{depth}-FPN"
    return backbone


def _settle_norms(backbone: nn.Module, exactly: bool) -> None:
    """Spare the work of every frozen norm; not exactly: all of it, with other rounding."""
    for parent in list(backbone.modules()):
        before: nn.Module | None = None
        for name, child in list(parent.named_children()):
            if isinstance(child, FrozenBatchNorm2d) and isinstance(before, nn.Conv2d):
                if not exactly:
                    fold(before, child)
                setattr(parent, name, ScaleAndShift(child) if exactly else nn.Identity())
            before = child
