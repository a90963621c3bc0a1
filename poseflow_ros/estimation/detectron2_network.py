"""The network of detectron2's Keypoint R-CNN."""

from collections.abc import Sequence
from pathlib import Path

import torch
from detectron2 import layers, model_zoo
from detectron2.config import LazyConfig, get_cfg, instantiate
from detectron2.data.transforms import ResizeShortestEdge
from detectron2.layers import ROIAlign
from detectron2.modeling import GeneralizedRCNN, build_model
from detectron2.modeling.poolers import ROIPooler
from detectron2.structures import Boxes
from torch import Tensor, nn
from torch.nn import functional

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.boxes import Size
from poseflow_ros.estimation.checkpoints import load_state, read_checkpoint
from poseflow_ros.estimation.errors import EstimatorError, first_line
from poseflow_ros.estimation.frozen_norm import fold
from poseflow_ros.estimation.padded_people import PaddedPeople, PeopleSettings
from poseflow_ros.estimation.pooling import PoolSettings
from poseflow_ros.estimation.proposals import ProposalSettings
from poseflow_ros.estimation.region_network import Pyramid, RegionNetwork, RegionSettings
from poseflow_ros.estimation.torch_device import compiled, convert
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


class Detectron2Network(RegionNetwork):
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
            EstimatorError: the precision cannot represent the weights, or the heads pool in
                another way than from one pyramid with ROIAlign.
        """
        heads = model.roi_heads
        heads.box_predictor.test_score_thresh = config.min_person_score
        heads.box_predictor.test_topk_per_image = config.max_people
        super().__init__(_settings(model, config.detectron2_config), precision)
        self.name = f"detectron2 {Path(config.detectron2_config).stem}"
        self._sides = config.image_min_side, config.image_max_side
        self._model = model.to(device)
        if precision != torch.float32:
            _fold_norms(model.backbone)
        parts = [model.backbone, model.proposal_generator.rpn_head]
        parts += [heads.box_head, heads.box_predictor, heads.keypoint_head]
        convert(parts, device, precision)
        self._backbone = compiled(model.backbone) if config.compile else model.backbone

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
        bottom, right = (
            side - n for side, n in zip(_padded_size(model.backbone, size), size, strict=True)
        )
        return functional.pad(inputs, (0, right, 0, bottom)), size

    def find_people_exactly(self, features: Pyramid, size: Size) -> PaddedPeople:
        """Return the people as detectron2 finds them; see `Network.find_people_exactly`."""
        heads, rpn = self._model.roi_heads, self._model.proposal_generator
        logits, deltas = self.objectness(features.levels)
        # (B, A * D, h, w) -> (B, h * w * A, D), D = 1 for logits and 4 for deltas
        logits = [x.float().permute(0, 2, 3, 1).flatten(1) for x in logits]
        deltas = [x.float().permute(0, 2, 3, 1).reshape(len(x), -1, 4) for x in deltas]
        anchors = [Boxes(x) for x in features.constants.anchors]
        proposals = rpn.predict_proposals(anchors, logits, deltas, [size] * len(logits[0]))
        exact = features.exact()
        pooled = heads.box_pooler(
            [exact[name] for name in heads.box_in_features], [x.proposal_boxes for x in proposals]
        )
        predictions = heads.box_predictor(heads.box_head(pooled.to(self._precision)))
        found, _ = heads.box_predictor.inference(
            tuple(part.float() for part in predictions), proposals
        )
        people = [x[x.pred_boxes.nonempty()] for x in found]
        return PaddedPeople.of_lists(
            [x.pred_boxes.tensor for x in people], [x.scores for x in people]
        )

    def levels(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return the levels by name; see `RegionNetwork.levels`."""
        return self._backbone(inputs)

    def _anchors(self, levels: dict[str, Tensor], size: Size) -> Sequence[Tensor]:
        rpn = self._model.proposal_generator
        of_levels = rpn.anchor_generator([levels[name] for name in rpn.in_features])
        return [boxes.tensor for boxes in of_levels]

    def objectness(self, levels: dict[str, Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return logits and deltas of each level; see `RegionNetwork.objectness`."""
        rpn = self._model.proposal_generator
        return rpn.rpn_head([levels[name] for name in rpn.in_features])

    def _box_head(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        heads = self._model.roi_heads
        logits, deltas = (x.float() for x in heads.box_predictor(heads.box_head(pooled)))
        # The last class is the background.
        (scores,) = heads.box_predictor.predict_probs((logits, deltas), [logits])
        return scores[:, 0], deltas[:, :4]

    def _keypoint_head(self, pooled: Tensor) -> Tensor:
        return self._model.roi_heads.keypoint_head.layers(pooled)


def _padded_size(backbone: nn.Module, size: Size) -> Size:
    """Return the size to which detectron2 pads an image for this backbone."""
    constraints = backbone.padding_constraints
    divisor = max(1, constraints.get("size_divisibility", backbone.size_divisibility))
    square = constraints.get("square_size", 0)
    height, width = (-(-max(n, square) // divisor) * divisor for n in size)
    return height, width


def _settings(model: GeneralizedRCNN, config: str) -> RegionSettings:
    """Return how the model of a configuration finds people."""
    rpn, heads = model.proposal_generator, model.roi_heads
    predictor = heads.box_predictor
    if heads.box_in_features != heads.keypoint_in_features:
        raise EstimatorError(
            f"estimator.detectron2_config is {config!r}, whose heads pool from different levels"
        )
    return RegionSettings(
        ProposalSettings(
            per_level=rpn.pre_nms_topk[False],
            per_image=rpn.post_nms_topk[False],
            max_iou=rpn.nms_thresh,
            min_side=rpn.min_box_size,
            or_equal=False,
            weights=rpn.box2box_transform.weights,
        ),
        PeopleSettings(
            per_image=predictor.test_topk_per_image,
            min_score=predictor.test_score_thresh,
            max_iou=predictor.test_nms_thresh,
            min_side=0.0,
            or_equal=False,
            weights=predictor.box2box_transform.weights,
        ),
        _pool_settings(heads.box_pooler, config),
        _pool_settings(heads.keypoint_pooler, config),
        heads.box_pooler.output_size[0],
        heads.keypoint_pooler.output_size[0],
        heads.box_in_features,
    )


def _pool_settings(pooler: ROIPooler, config: str) -> PoolSettings:
    first = pooler.level_poolers[0]
    if not isinstance(first, ROIAlign):
        raise EstimatorError(
            f"estimator.detectron2_config is {config!r}, which pools with "
            f"{type(first).__name__}; must be ROIAlign or ROIAlignV2"
        )
    return PoolSettings(
        sampling_ratio=first.sampling_ratio,
        aligned=first.aligned,
        level_margin=0.0,
        min_level=pooler.min_level,
        max_level=pooler.max_level,
    )


def _fold_norms(backbone: nn.Module) -> None:
    """Fold every frozen norm into its convolution."""
    for module in backbone.modules():
        if isinstance(module, layers.Conv2d) and isinstance(module.norm, layers.FrozenBatchNorm2d):
            fold(module, module.norm)
            module.norm = None
