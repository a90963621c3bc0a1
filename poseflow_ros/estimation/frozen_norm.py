"""Frozen batch norms: computed once, or folded into the convolution before them."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def fold(convolution: nn.Conv2d, norm: Any) -> None:
    """Fold the batch norm after a convolution into the convolution, in place.

    Args:
        convolution: its weight and bias are replaced.
        norm: a batch norm in evaluation mode, with weight, bias, running_mean, running_var and
            eps.
    """
    with torch.no_grad():
        weight, bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
    convolution.weight, convolution.bias = weight, bias


class ScaleAndShift(nn.Module):
    """A frozen batch norm of torchvision with precomputed factors.

    Its results are equal bit by bit; it works in place, with half of the memory traffic.
    """

    def __init__(self, norm: Any) -> None:
        super().__init__()
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        shift = norm.bias - norm.running_mean * scale
        self.register_buffer("scale", scale.view(1, -1, 1, 1))
        self.register_buffer("shift", shift.view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return x, (B, C, H, W), changed in place."""
        return x.mul_(self.scale).add_(self.shift)
