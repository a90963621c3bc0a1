"""A model in ONNX Runtime: its inputs and outputs, its batches and its failures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.cpu_threads import cpu_threads
from poseflow_ros.estimation.device_messages import says_device_lost, says_out_of_memory
from poseflow_ros.estimation.errors import (
    DeviceLostError,
    EstimatorError,
    OutOfMemoryError,
    first_line,
)
from poseflow_ros.estimation.onnx_providers import (
    active_precision,
    choose_providers,
    device_id,
)
from poseflow_ros.estimation.onnx_runtime import (
    GPU,
    available_providers,
    check_started,
    open_session,
)

_TYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
# Of models whose height and width are not fixed: the first is that of detectors and one-stage
# models, the second that of top-down models.
_PROBE_SIZES = ((640, 640), (256, 192))

Outputs = tuple[NDArray[Any], ...]
"""The outputs of a model for one image, in the model's order, without the batch axis."""


class ImageSession(Protocol):
    """A model, in one file or several, that takes images."""

    @property
    def batches(self) -> bool:
        """Whether a batch of images takes less time than the images one by one."""
        ...

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """Height and width of the input; None where the model accepts any."""
        ...

    def run(self, inputs: NDArray[np.float32]) -> list[Outputs]:
        """Return the outputs for each image; see `OnnxSession.run`."""
        ...

    def values(self) -> dict[str, str]:
        """Return the values for diagnostics."""
        ...

    def close(self) -> None:
        """Release the model's memory; a second call does nothing."""
        ...


class OnnxSession:
    """A model with one image input (B, 3, H, W) on the first provider that can run it.

    Attributes:
        path: the file.
        input_name: the name of its input.
        provider: the active execution provider.
        precision: in which it computes, float32 or float16.
        metadata: the entries of the file's metadata.
        fixed_size: height and width of the input; None where the model accepts any.
        fixed_batch: number of images in a batch; None where the model accepts any.
        probe_size: height and width of the image with which the model was run once.
        output_shapes: name of each output -> shape for this image, without the batch axis.
    """

    def __init__(self, path: Path, config: EstimatorConfig) -> None:
        """Load the model and run it once.

        Raises:
            EstimatorError: ONNX Runtime is missing, a parameter or the file cannot be used, or the
                model does not run.
        """
        self.path = path
        self.max_batch: int | None = None
        self._device_id = device_id(config)
        self._session = open_model(path, config)
        self.provider: str = self._session.get_providers()[0]
        self._read_input()
        file_precision = np.dtype(self._dtype).name
        self.precision = active_precision(config, self.provider, file_precision)
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.probe_size, self.output_shapes = self._probe()

    @property
    def on_gpu(self) -> bool:
        """Whether the active provider computes on an NVIDIA GPU."""
        return self.provider in GPU

    @property
    def batches(self) -> bool:
        """Whether a batch of images takes less time than the images one by one."""
        return self.on_gpu and self.fixed_batch != 1

    @property
    def device(self) -> tuple[str, int]:
        """Name and number of the device on which the provider computes, as in `bind_output`."""
        return ("cuda", self._device_id) if self.on_gpu else ("cpu", 0)

    def run(self, inputs: NDArray[np.float32]) -> list[Outputs]:
        """Return the outputs for each image.

        Args:
            inputs: (N, 3, H, W) float32, any number of images.

        Raises:
            OutOfMemoryError: the device had no memory; the next batches have half the size.
            DeviceLostError: the device failed.
        """
        step = self.fixed_batch or self.max_batch or max(1, len(inputs))
        results: list[Outputs] = []
        for start in range(0, len(inputs), step):
            results += self._run(inputs[start : start + step])
        return results

    def run_on_device(self, inputs: NDArray[np.float32]) -> dict[str, Any]:
        """Return the outputs by name, as values of ONNX Runtime that stay on the device.

        Args:
            inputs: (B, 3, H, W) float32, of the model's own batch and size.

        Raises:
            Exception: whatever ONNX Runtime raises; `failure` tells what it means.
        """
        feed = {self.input_name: inputs.astype(self._dtype, copy=False)}
        names = [output.name for output in self._session.get_outputs()]
        return run_bound(self._session, feed, dict.fromkeys(names, self.device))

    def values(self) -> dict[str, str]:
        """Return no values for diagnostics."""
        return {}

    def close(self) -> None:
        """Release the model's memory; a second call does nothing."""
        self._session = None

    def summary(self) -> str:
        """Return the inputs and outputs in words."""
        inputs = ", ".join(map(_described, self._session.get_inputs()))
        outputs = ", ".join(map(_described, self._session.get_outputs()))
        return f"inputs {inputs}; outputs {outputs}"

    def _read_input(self) -> None:
        """Set what is known about the input; refuse what is not one batch of images."""
        (first, *others) = self._session.get_inputs()
        shape = first.shape
        if others or len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
            raise EstimatorError(
                f"weights {self.path} have the {self.summary()}; must have one input of images, "
                "(B, 3, H, W)"
            )
        if first.type not in _TYPES:
            raise EstimatorError(
                f"weights {self.path} have the {self.summary()}; the input must be of type "
                f"{' or '.join(_TYPES)}"
            )
        self.input_name, self._dtype = first.name, _TYPES[first.type]
        batch, _, height, width = (n if isinstance(n, int) else None for n in shape)
        self.fixed_batch: int | None = batch
        self.fixed_size = (height, width) if height and width else None

    def _probe(self) -> tuple[tuple[int, int], dict[str, tuple[int, ...]]]:
        """Return the size of a grey image that the model accepts, and its outputs' shapes."""
        names = [output.name for output in self._session.get_outputs()]
        sizes = [self.fixed_size] if self.fixed_size else _PROBE_SIZES
        problem = ""
        for size in sizes:
            try:
                (outputs,) = self.run(np.full((1, 3, *size), 0.5, np.float32))
            except Exception as error:
                # ONNX Runtime's exceptions have no common type.
                problem = first_line(error)
                continue
            shapes = (output.shape for output in outputs)
            return size, dict(zip(names, shapes, strict=True))
        raise EstimatorError(f"weights {self.path} do not run on {self.provider}: {problem}")

    def _run(self, inputs: NDArray[np.float32]) -> list[Outputs]:
        n = len(inputs)
        if self.fixed_batch and n < self.fixed_batch:
            inputs = np.pad(inputs, ((0, self.fixed_batch - n), (0, 0), (0, 0), (0, 0)))
        feed = {self.input_name: inputs.astype(self._dtype, copy=False)}
        try:
            outputs: Sequence[NDArray[Any]] = self._session.run(None, feed)
        except Exception as error:
            raise self.failure(error, n) from error
        # An output without the batch axis is of no supported type: `output_shapes` shows it whole.
        batched = [output.shape[:1] == inputs.shape[:1] for output in outputs]
        return [
            tuple(
                output[i] if has_axis else output
                for output, has_axis in zip(outputs, batched, strict=True)
            )
            for i in range(n)
        ]

    def failure(self, error: Exception, n_images: int) -> Exception:
        """Return the failure of a run as an error of this package, if it is of the device."""
        reason = first_line(error)
        if says_out_of_memory(str(error)):
            self.max_batch = max(1, n_images // 2)
            return OutOfMemoryError(
                f"out of memory with a batch of {n_images} on {self.provider} ({reason}); the "
                f"next batches have at most {self.max_batch}"
            )
        if says_device_lost(str(error)):
            return DeviceLostError(f"{self.provider} failed: {reason}")
        return error


def open_model(path: Path, config: EstimatorConfig, among: Sequence[str] | None = None) -> Any:
    """Return a session of ONNX Runtime.

    Args:
        path: the file.
        config: the settings.
        among: the only providers that may run the model; None for all.

    Raises:
        EstimatorError: ONNX Runtime is missing, or the device or the file cannot be used.
    """
    available = available_providers()
    providers = choose_providers(config, [x for x in available if among is None or x in among])
    session = open_session(path, "weights", providers, cpu_threads(config))
    check_started(session, "estimator.device", config.device)
    return session


def run_bound(
    session: Any, inputs: Mapping[str, Any], devices: Mapping[str, tuple[str, int]]
) -> dict[str, Any]:
    """Run a session of ONNX Runtime; return the outputs by name, as its own values.

    Args:
        session: of ONNX Runtime.
        inputs: name -> an array, or a value that another run has returned.
        devices: name of each output -> where it is kept, such as ("cuda", 0).
    """
    binding = session.io_binding()
    for name, value in inputs.items():
        if isinstance(value, np.ndarray):
            binding.bind_cpu_input(name, value)
        else:
            binding.bind_ortvalue_input(name, value)
    for name, device in devices.items():
        binding.bind_output(name, *device)
    session.run_with_iobinding(binding)
    return dict(zip(devices, binding.get_outputs(), strict=True))


def _described(value: Any) -> str:
    """Return an input or output of a model in words: its name, shape and type."""
    shape = ", ".join(str(n) for n in value.shape)
    return f"{value.name} ({shape}) {value.type}"
