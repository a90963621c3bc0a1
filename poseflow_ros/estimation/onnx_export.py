"""Export of torchvision's Keypoint R-CNN to ONNX files, which the estimator `onnx` runs."""

import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from poseflow_ros.estimation import onnx_parts as names
from poseflow_ros.estimation.boxes import Size
from poseflow_ros.estimation.errors import EstimatorError, first_line
from poseflow_ros.estimation.export_modules import DensePart, KeypointsPart, PeoplePart
from poseflow_ros.estimation.torchvision_network import TorchvisionNetwork

# RoiAlign has torchvision's coordinates from 16 on; ONNX Runtime and TensorRT of JetPack 5 and
# later support 17.
_OPSET = 17


def export_parts(network: TorchvisionNetwork, size: Size, files: Sequence[Path]) -> None:
    """Write the network for images of one size.

    Args:
        network: on the CPU, float32.
        size: height and width of the images, pixels.
        files: the paths of dense part, people and keypoints, in this order.

    Raises:
        EstimatorError: torch cannot export the network.
        OSError: a file cannot be written.
    """
    with torch.inference_mode():
        dense = DensePart(network, size)
        images = torch.zeros(1, 3, *size)
        found = dense(images)
        between = [
            f"{name}_{i}"
            for name, values in zip(
                (names.LEVEL, names.OBJECTNESS, names.DELTAS), found, strict=True
            )
            for i in range(len(values))
        ]
        _write(files[0], dense, (images,), [names.IMAGES], between)
        people, inputs = PeoplePart(dense), (*found, torch.tensor(0.5))
        _write(files[1], people, inputs, [*between, names.MIN_SCORE], names.PEOPLE_OUTPUTS)
        inputs = people(*inputs)[:2]
        _write(
            files[2], KeypointsPart(dense), inputs, names.PEOPLE_OUTPUTS[:2], names.POSE_OUTPUTS
        )
    _set_metadata(files)


def _write(
    path: Path,
    part: nn.Module,
    inputs: Any,
    input_names: Sequence[str],
    output_names: Sequence[str],
) -> None:
    n_people = {0: "n"}
    dynamic = dict.fromkeys((names.PEOPLE, *names.POSE_OUTPUTS), n_people)
    try:
        with warnings.catch_warnings():
            # Shapes are meant to be constants, and onnxscript is not required.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                part.eval(),
                inputs,
                str(path),
                input_names=list(input_names),
                output_names=list(output_names),
                dynamic_axes=dynamic if names.POSE_OUTPUTS[0] in output_names else None,
                opset_version=_OPSET,
                dynamo=False,
            )
    except OSError:
        raise
    except Exception as error:
        # torch's exporter raises many types.
        raise EstimatorError(
            f"torch {torch.__version__} cannot export the network: {first_line(error)}"
        ) from error


def _set_metadata(files: Sequence[Path]) -> None:
    """Write into each file what it is and which files belong together."""
    import onnx

    entries = {"task": names.TASK, names.EXPORT: uuid.uuid4().hex}
    for path in files:
        model = onnx.load(path)
        onnx.helper.set_model_props(model, entries)
        onnx.checker.check_model(model)
        onnx.save(model, path)
