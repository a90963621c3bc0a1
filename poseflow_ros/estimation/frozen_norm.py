"""Norms that never change, taken into the convolutions before them."""

from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def fold(convolution: nn.Conv2d, norm: Any) -> None:
    """Make the convolution do what it and the batch norm after it do, in place.

    Args:
        convolution: its weights change.
        norm: a batch norm in evaluation, frozen or not: weight, bias, running_mean, running_var
            and eps.
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
