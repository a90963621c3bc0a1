"""The network of torchvision's Keypoint R-CNN."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import KeypointRCNN as TorchvisionKeypointRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.misc import FrozenBatchNorm2d

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.boxes import Size
from poseflow_ros.estimation.checkpoints import load_state, read_checkpoint
from poseflow_ros.estimation.errors import EstimatorError
from poseflow_ros.estimation.frozen_norm import ScaleAndShift, fold
from poseflow_ros.estimation.padded_people import PaddedPeople, PeopleSettings
from poseflow_ros.estimation.pooling import PoolSettings
from poseflow_ros.estimation.proposals import ProposalSettings
from poseflow_ros.estimation.region_network import Pyramid, RegionNetwork, RegionSettings
from poseflow_ros.estimation.torch_device import compiled, convert
from poseflow_ros.skeletons.coco17 import COCO_17

_STRIDE = 32
# The level of stride 4; torchvision adds the margin to a level before it is rounded down, and
# removes smaller boxes after the box head.
_MIN_LEVEL, _LEVEL_MARGIN, _MIN_PERSON_SIDE = 2, 1e-6, 1e-2
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


class TorchvisionNetwork(RegionNetwork):
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
        heads = model.roi_heads
        heads.score_thresh = config.min_person_score
        heads.detections_per_img = config.max_people
        super().__init__(_settings(model), precision)
        self.name = f"torchvision Keypoint R-CNN ({model.backbone.title})"
        self.model = model
        _replace_norms(model.backbone, exact=precision == torch.float32)
        parts = [model.backbone, model.rpn.head, heads.box_head, heads.box_predictor]
        parts += [heads.keypoint_head, heads.keypoint_predictor]
        convert(parts, device, precision)
        self._backbone = compiled(model.backbone) if config.compile else model.backbone
        self._mean, self._std = (
            torch.tensor(values, device=device).view(1, 3, 1, 1)
            for values in (model.transform.image_mean, model.transform.image_std)
        )

    def prepare(self, images: Tensor) -> tuple[Tensor, Size]:
        """Return the network's input and the size of an image in it; see `Network.prepare`."""
        inputs = self.normalize(images.float())
        # The transform takes one image with any number of channels.
        channels, _ = self.model.transform.resize(inputs.flatten(0, 1))
        height, width = channels.shape[-2:]
        padding = (0, -width % _STRIDE, 0, -height % _STRIDE)
        return functional.pad(channels.view(-1, 3, height, width), padding), (height, width)

    def normalize(self, values: Tensor) -> Tensor:
        """Return RGB values (B, 3, H, W) from 0 to 255 as the network takes them, in place."""
        return values.div_(255).sub_(self._mean).div_(self._std)

    def find_people_exactly(self, features: Pyramid, size: Size) -> PaddedPeople:
        """Return the people as torchvision finds them; see `Network.find_people_exactly`."""
        rpn, heads = self.model.rpn, self.model.roi_heads
        objectness, deltas = self.objectness(features.levels)
        n, per_level = len(objectness[0]), [level[0].numel() for level in objectness]
        objectness, deltas = concat_box_prediction_layers(objectness, deltas)
        anchors = [torch.cat(list(features.constants.anchors))] * n
        regions = rpn.box_coder.decode(deltas.float(), anchors).view(n, -1, 4)
        proposals, _ = rpn.filter_proposals(regions, objectness.float(), [size] * n, per_level)
        # The sizes of the levels are those of the padded input divided by powers of two.
        pooled = heads.box_roi_pool(features.exact(), proposals, [features.input_size] * n)
        logits, deltas = heads.box_predictor(heads.box_head(pooled.to(self._precision)))
        boxes, scores, _ = heads.postprocess_detections(
            logits.float(), deltas.float(), proposals, [size] * n
        )
        return PaddedPeople.of_lists(boxes, scores)

    def levels(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return the levels by name; see `RegionNetwork.levels`."""
        return self._backbone(inputs)

    def _anchors(self, levels: dict[str, Tensor], size: Size) -> Sequence[Tensor]:
        one_image = [level[:1].float() for level in levels.values()]
        images = ImageList(one_image[0].new_empty(1, 3, *size), [size])
        generator = self.model.rpn.anchor_generator
        anchors = generator(images, one_image)[0]
        counts = [
            per_cell * level[0, 0].numel()
            for per_cell, level in zip(
                generator.num_anchors_per_location(), one_image, strict=True
            )
        ]
        return anchors.split(counts)

    def objectness(self, levels: dict[str, Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return logits and deltas of each level; see `RegionNetwork.objectness`."""
        return self.model.rpn.head(list(levels.values()))

    def _box_head(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        heads = self.model.roi_heads
        logits, deltas = heads.box_predictor(heads.box_head(pooled))
        # The first class is the background.
        return logits.float().softmax(dim=1)[:, 1], deltas.float()[:, 4:8]

    def _keypoint_head(self, pooled: Tensor) -> Tensor:
        heads = self.model.roi_heads
        return heads.keypoint_predictor(heads.keypoint_head(pooled))


def _settings(model: TorchvisionKeypointRCNN) -> RegionSettings:
    """Return how the model finds people."""
    rpn, heads = model.rpn, model.roi_heads
    box_pool, keypoint_pool = heads.box_roi_pool, heads.keypoint_roi_pool
    return RegionSettings(
        ProposalSettings(
            per_level=rpn.pre_nms_top_n(),
            per_image=rpn.post_nms_top_n(),
            max_iou=rpn.nms_thresh,
            min_side=rpn.min_size,
            or_equal=True,
            weights=rpn.box_coder.weights,
        ),
        PeopleSettings(
            per_image=heads.detections_per_img,
            min_score=heads.score_thresh,
            max_iou=heads.nms_thresh,
            min_side=_MIN_PERSON_SIDE,
            or_equal=True,
            weights=heads.box_coder.weights,
        ),
        _pool_settings(box_pool),
        _pool_settings(keypoint_pool),
        box_pool.output_size[0],
        keypoint_pool.output_size[0],
        box_pool.featmap_names,
    )


def _pool_settings(pool: MultiScaleRoIAlign) -> PoolSettings:
    return PoolSettings(
        sampling_ratio=pool.sampling_ratio,
        aligned=False,
        level_margin=_LEVEL_MARGIN,
        min_level=_MIN_LEVEL,
        max_level=_MIN_LEVEL + len(pool.featmap_names) - 1,
    )


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
