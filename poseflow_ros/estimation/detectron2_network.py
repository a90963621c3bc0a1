"""The network of detectron2's Keypoint R-CNN."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from detectron2 import layers, model_zoo
from detectron2.config import LazyConfig, get_cfg, instantiate
from detectron2.data.transforms import ResizeShortestEdge
from detectron2.modeling import GeneralizedRCNN, build_model
from detectron2.structures import Boxes, ImageList
from torch import Tensor, nn
from torch.nn import functional

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.checkpoints import load_state, read_checkpoint
from poseflow_ros.estimation.errors import EstimatorError, first_line
from poseflow_ros.estimation.frozen_norm import fold
from poseflow_ros.estimation.keypoint_rcnn import MAX_SIZES, Size
from poseflow_ros.estimation.torch_device import convert, memory_format
from poseflow_ros.estimation.weights import named_file
from poseflow_ros.skeletons.coco17 import COCO_17


def read_model(config: str, path: Path) -> GeneralizedRCNN:
    """Return the model of a configuration in evaluation mode with the weights of a file.

    Args:
        config: see `make_model`.
        path: a file of the model zoo (.pkl), or one that detectron2 or torch saved (.pth).

    Raises:
        EstimatorError: the configuration cannot be used, the file cannot be read, or it is of
            another network.
    """
    model = make_model(config)
    load_state(model, read_checkpoint(path), path)
    return model


def make_model(config: str) -> GeneralizedRCNN:
    """Return the model of a configuration in evaluation mode, with random weights.

    Args:
        config: its name in the model zoo, or the path of a file, .yaml or .py.

    Raises:
        EstimatorError: there is no such configuration, or it is not for COCO keypoints of people.
    """
    try:
        file = str(named_file(config) or model_zoo.get_config_file(config))
        if file.endswith(".py"):
            model = instantiate(LazyConfig.load(file).model)
        else:
            settings = get_cfg()
            settings.merge_from_file(file, allow_unsafe=False)
            settings.MODEL.DEVICE = "cpu"
            model = build_model(settings)
    except Exception as error:
        raise EstimatorError(
            f"estimator.detectron2_config is {config!r}, which detectron2 cannot use: "
            f"{first_line(error)}"
        ) from error
    heads = getattr(model, "roi_heads", None)
    n_keypoints = getattr(getattr(heads, "keypoint_head", None), "num_keypoints", 0)
    n_classes = getattr(heads, "num_classes", 0)
    if n_keypoints != COCO_17.n_keypoints or n_classes != 1:
        raise EstimatorError(
            f"estimator.detectron2_config is {config!r}, which has {n_keypoints} keypoints and "
            f"{n_classes} classes; must have the {COCO_17.n_keypoints} of COCO and people "
            "only"
        )
    return model.eval()


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The features of B images.

    Attributes:
        levels: (B, C, h, w) by name, in the precision of the network.
        exact: the same, float32.
    """

    levels: dict[str, Tensor]
    exact: dict[str, Tensor]


class Detectron2Network:
    """detectron2's network behind the Protocol `keypoint_rcnn.Network`."""

    # Trained on keypoints plus half a pixel, which its own evaluation subtracts again.
    keypoint_offset = -0.5

    def __init__(
        self,
        model: GeneralizedRCNN,
        config: EstimatorConfig,
        device: torch.device,
        precision: torch.dtype,
    ) -> None:
        """Move the model to the device and convert it to the precision.

        Raises:
            EstimatorError: the precision cannot represent the weights.
        """
        self.name = f"detectron2 {Path(config.detectron2_config).stem}"
        self._sides = config.image_min_side, config.image_max_side
        self._model, self._precision = model.to(device), precision
        self._format = memory_format(precision)
        if precision != torch.float32:
            _fold_norms(model.backbone)
        heads = model.roi_heads
        heads.box_predictor.test_score_thresh = config.min_person_score
        heads.box_predictor.test_topk_per_image = config.max_people
        parts = [model.backbone, model.proposal_generator.rpn_head]
        parts += [heads.box_head, heads.box_predictor, heads.keypoint_head]
        convert(parts, device, precision)
        self._backbone = torch.compile(model.backbone) if config.compile else model.backbone
        self._anchors: dict[Size, list[Boxes]] = {}

    def prepare(self, images: Tensor) -> tuple[Tensor, Size]:
        """Return the network's input and the size of an image in it; see `Network.prepare`."""
        model, (height, width) = self._model, images.shape[2:]
        size = ResizeShortestEdge.get_output_shape(height, width, *self._sides)
        inputs = images.float()
        # detectron2 scales with Pillow, which rounds to integers after the rows and again after
        # the columns.
        for shape in ((height, size[1]), size):
            if tuple(inputs.shape[2:]) != shape:
                inputs = functional.interpolate(inputs, shape, mode="bilinear", antialias=True)
                inputs = inputs.add_(0.5).floor_()
        if model.input_format == "BGR":
            inputs = inputs.flip(1)
        inputs = (inputs - model.pixel_mean) / model.pixel_std
        backbone = model.backbone
        padded = ImageList.from_tensors(
            list(inputs),
            backbone.size_divisibility,
            padding_constraints=backbone.padding_constraints,
        )
        return padded.tensor, size

    def extract(self, inputs: Tensor) -> Pyramid:
        """Return the features of the images; see `Network.extract`."""
        levels = self._backbone(inputs.to(self._precision, memory_format=self._format))
        exact = {
            name: level.to(torch.float32, memory_format=torch.contiguous_format)
            for name, level in levels.items()
        }
        return Pyramid(levels, exact)

    def find_people(self, features: Pyramid, size: Size) -> tuple[list[Tensor], list[Tensor]]:
        """Return the boxes and scores of each image's people; see `Network.find_people`."""
        heads, proposals = self._model.roi_heads, self._propose(features, size)
        regions = [x.proposal_boxes for x in proposals]
        pooled = self._pool(heads.box_pooler, heads.box_in_features, features, regions)
        predictions = heads.box_predictor(heads.box_head(pooled))
        found, _ = heads.box_predictor.inference(
            tuple(part.float() for part in predictions), proposals
        )
        people = [x[x.pred_boxes.nonempty()] for x in found]
        return [x.pred_boxes.tensor for x in people], [x.scores for x in people]

    def heatmaps(self, features: Pyramid, boxes: list[Tensor]) -> Tensor:
        """Return the logits (N, K, 56, 56) of the keypoints of all images' people, float32."""
        heads, regions = self._model.roi_heads, [Boxes(part) for part in boxes]
        pooled = self._pool(heads.keypoint_pooler, heads.keypoint_in_features, features, regions)
        pooled = pooled.contiguous(memory_format=self._format)
        return heads.keypoint_head.layers(pooled).float().contiguous()

    def _propose(self, features: Pyramid, size: Size) -> list[Any]:
        """Return the region proposals of each image, as Instances."""
        rpn = self._model.proposal_generator
        levels = [features.levels[name] for name in rpn.in_features]
        logits, deltas = rpn.rpn_head(levels)
        # (B, A * D, h, w) -> (B, h * w * A, D), D = 1 for logits and 4 for deltas
        logits = [x.float().permute(0, 2, 3, 1).flatten(1) for x in logits]
        deltas = [x.float().permute(0, 2, 3, 1).reshape(len(x), -1, 4) for x in deltas]
        sizes = [size] * len(levels[0])
        return rpn.predict_proposals(self._anchors_of(levels), logits, deltas, sizes)

    def _pool(
        self, pool: nn.Module, names: list[str], features: Pyramid, boxes: list[Boxes]
    ) -> Tensor:
        # Half precision cannot represent box coordinates in a wide image, so pooling is float32.
        return pool([features.exact[name] for name in names], boxes).to(self._precision)

    def _anchors_of(self, levels: list[Tensor]) -> list[Boxes]:
        """Return the anchors for this input size, computed once per size."""
        size = tuple(levels[0].shape[-2:])
        if size not in self._anchors:
            if len(self._anchors) == MAX_SIZES:
                self._anchors.clear()
            self._anchors[size] = self._model.proposal_generator.anchor_generator(levels)
        return self._anchors[size]


def _fold_norms(backbone: nn.Module) -> None:
    """Fold every frozen norm into its convolution."""
    for module in backbone.modules():
        if isinstance(module, layers.Conv2d) and isinstance(module.norm, layers.FrozenBatchNorm2d):
            fold(module, module.norm)
            module.norm = None
