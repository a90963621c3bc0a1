"""The network of torchvision's Keypoint R-CNN."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import KeypointRCNN as TorchvisionKeypointRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops.misc import FrozenBatchNorm2d

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.checkpoints import load_state, read_checkpoint
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.frozen_norm import ScaleAndShift, fold
from poseflow_ros.estimation.keypoint_rcnn import MAX_SIZES, Size
from poseflow_ros.estimation.torch_device import convert, memory_format
from poseflow_ros.skeletons.coco17 import COCO_17

_STRIDE = 32
# Depth of the ResNet by the blocks of its third stage, and whether a block has 3 convolutions.
_DEPTHS = {(2, False): 18, (6, False): 34, (6, True): 50, (23, True): 101, (36, True): 152}


def build_model(path: Path, norm_eps: float | None = None) -> TorchvisionKeypointRCNN:
    """Return torchvision's model in evaluation mode with the weights of a file.

    Args:
        path: the file, see `read_checkpoint`.
        norm_eps: what the norms of the backbone add to the variance; None for torchvision's
            default.

    Raises:
        EstimatorError: the file cannot be read, or its weights are of another network.
    """
    state = read_checkpoint(path)
    backbone = _backbone(path, state)
    model = TorchvisionKeypointRCNN(backbone, 2, num_keypoints=COCO_17.n_keypoints)
    load_state(model, state, path)
    if norm_eps is not None:
        for module in model.modules():
            if isinstance(module, FrozenBatchNorm2d):
                module.eps = norm_eps
    return model.eval()


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The features of B images.

    Attributes:
        levels: (B, C, h, w) each, the finest first, in the precision of the network.
        exact: the same by name, float32.
        input_size: of the network's input, including its padding.
    """

    levels: list[Tensor]
    exact: dict[str, Tensor]
    input_size: Size


class TorchvisionNetwork:
    """torchvision's network behind the Protocol `keypoint_rcnn.Network`."""

    # Trained on COCO's keypoints unchanged: a pixel's centre has integer coordinates.
    keypoint_offset = 0.0

    def __init__(
        self,
        model: TorchvisionKeypointRCNN,
        config: EstimatorConfig,
        device: torch.device,
        precision: torch.dtype,
    ) -> None:
        """Move the model to the device and convert it to the precision.

        Raises:
            EstimatorError: the precision cannot represent the weights.
        """
        model.transform.min_size = (config.image_min_side,)
        model.transform.max_size = config.image_max_side
        model.roi_heads.score_thresh = config.min_person_score
        model.roi_heads.detections_per_img = config.max_people
        self.name = f"torchvision Keypoint R-CNN ({model.backbone.title})"
        self.model, self._precision = model, precision
        self._format = memory_format(precision)
        _replace_norms(model.backbone, exact=precision == torch.float32)
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
        """Return the network's input and the size of an image in it; see `Network.prepare`."""
        inputs = images.float().div_(255).sub_(self._mean).div_(self._std)
        # The transform takes one image with any number of channels.
        channels, _ = self.model.transform.resize(inputs.flatten(0, 1))
        height, width = channels.shape[-2:]
        padding = (0, -width % _STRIDE, 0, -height % _STRIDE)
        return functional.pad(channels.view(-1, 3, height, width), padding), (height, width)

    def extract(self, inputs: Tensor) -> Pyramid:
        """Return the features of the images; see `Network.extract`."""
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
        """Return the boxes and scores of each image's people; see `Network.find_people`."""
        proposals = self._propose(features, size)
        heads, sizes = self.model.roi_heads, [size] * len(proposals)
        pooled = self._pool(heads.box_roi_pool, features, proposals)
        logits, deltas = heads.box_predictor(heads.box_head(pooled))
        boxes, scores, _ = heads.postprocess_detections(
            logits.float(), deltas.float(), proposals, sizes
        )
        return boxes, scores

    def heatmaps(self, features: Pyramid, boxes: list[Tensor]) -> Tensor:
        """Return the logits (N, K, 56, 56) of the keypoints of all images' people, float32."""
        heads = self.model.roi_heads
        pooled = self._pool(heads.keypoint_roi_pool, features, boxes)
        pooled = pooled.contiguous(memory_format=self._format)
        return heads.keypoint_predictor(heads.keypoint_head(pooled)).float().contiguous()

    def _propose(self, features: Pyramid, size: Size) -> list[Tensor]:
        """Return the region proposals (P, 4) of each image."""
        rpn = self.model.rpn
        objectness, deltas = rpn.head(features.levels)
        n, per_level = len(objectness[0]), [level[0].numel() for level in objectness]
        objectness, deltas = concat_box_prediction_layers(objectness, deltas)
        anchors = [self._anchors_of(features)] * n
        regions = rpn.box_coder.decode(deltas.float(), anchors).view(n, -1, 4)
        return rpn.filter_proposals(regions, objectness.float(), [size] * n, per_level)[0]

    def _pool(self, pool: Any, features: Pyramid, boxes: list[Tensor]) -> Tensor:
        # Half precision cannot represent box coordinates in a wide image, so pooling is float32.
        # The sizes of the levels are those of the padded input divided by powers of two.
        return pool(features.exact, boxes, [features.input_size] * len(boxes)).to(self._precision)

    def _anchors_of(self, features: Pyramid) -> Tensor:
        """Return the anchors for this input size, computed once per size."""
        size = features.input_size
        if size not in self._anchors:
            if len(self._anchors) == MAX_SIZES:
                self._anchors.clear()
            levels = [level[:1].float() for level in features.levels]
            images = ImageList(levels[0].new_empty(1, 3, *size), [size])
            self._anchors[size] = self.model.rpn.anchor_generator(images, levels)[0]
        return self._anchors[size]


def _backbone(path: Path, state: Mapping[str, Tensor]) -> nn.Module:
    """Return a backbone of the depth of the weights, without loading them."""
    blocks = {name.split(".")[3] for name in state if name.startswith("backbone.body.layer3.")}
    bottleneck = "backbone.body.layer3.0.conv3.weight" in state
    depth = _DEPTHS.get((len(blocks), bottleneck))
    if depth is None:
        raise EstimatorError(
            f"weights {path} are of another network than torchvision's Keypoint R-CNN on a "
            "ResNet: they have no backbone of 18, 34, 50, 101 or 152 layers"
        )
    backbone = resnet_fpn_backbone(
        backbone_name=f"resnet{depth}", weights=None, norm_layer=FrozenBatchNorm2d
    )
    backbone.title = f"R{depth}-FPN"
    return backbone


def _replace_norms(backbone: nn.Module, exact: bool) -> None:
    """Replace every frozen norm by a faster module.

    Args:
        backbone: changed in place.
        exact: True for a norm with precomputed factors and equal results, False to fold the norm
            into the convolution before it, which rounds differently.
    """
    for parent in list(backbone.modules()):
        before: nn.Module | None = None
        for name, child in list(parent.named_children()):
            if isinstance(child, FrozenBatchNorm2d) and isinstance(before, nn.Conv2d):
                if not exact:
                    fold(before, child)
                setattr(parent, name, ScaleAndShift(child) if exact else nn.Identity())
            before = child
