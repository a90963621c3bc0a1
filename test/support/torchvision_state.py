"""Weights of torchvision's Keypoint R-CNN that are all made up."""

import torch
from torchvision.models.detection import KeypointRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.misc import FrozenBatchNorm2d


def state(backbone="resnet18", norm=FrozenBatchNorm2d, kind=KeypointRCNN, **options):
    """Return weights without a network: one number for each, which in a file is small."""
    with torch.device("meta"):
        body = resnet_fpn_backbone(backbone_name=backbone, weights=None, norm_layer=norm)
        shapes = {name: x.shape for name, x in kind(body, 2, **options).state_dict().items()}
    return {
        name: torch.tensor(0.001 * i).expand(shape)
        for i, (name, shape) in enumerate(shapes.items())
    }
