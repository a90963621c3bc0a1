"""Files of weights, read without running what may be hidden in them."""

import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from poseflow_ros.estimation.estimator import EstimatorError
from poseflow_ros.estimation.torch_device import first_line

# What torch, pickle and NumPy raise over a file that is damaged somewhere.
_BROKEN = (
    *(pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, TypeError, KeyError),
    *(IndexError, AttributeError, ImportError, MemoryError, OverflowError, AssertionError),
)
_NUMBERS = "fiub"
_SAFE_TORCH = "2.6"
# What one version of a library writes and another leaves out, always made anew.
_LEFT_OUT = re.compile(r"num_batches_tracked$|cell_anchors|^pixel_(mean|std)$")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the weights by name, from a file of torch's or one of detectron2's model zoo (.pkl).

    Both may hold the weights themselves, or a dictionary with them under `model`.

    Raises:
        EstimatorError: it cannot be read, or holds something else than weights.
    """
    try:
        content = _read_pickle(path) if path.suffix == ".pkl" else _read_torch(path)
        return _tensors(content)
    except _BROKEN as error:
        raise EstimatorError(f"weights {path} cannot be read: {first_line(error)}") from error


def load_state(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Put the weights into a network that must have the very same.

    Raises:
        EstimatorError: the weights are of another network.
    """
    try:
        missing, unexpected = network.load_state_dict(dict(state), strict=False)
    except RuntimeError as error:
        trouble = [str(error).splitlines()[-1].strip()]  # a size that differs
    else:
        trouble = [f"{name} is missing" for name in missing if not _LEFT_OUT.search(name)]
        trouble += [f"{name} is too many" for name in unexpected if not _LEFT_OUT.search(name)]
    if trouble:
        more = f", and {len(trouble) - 1} more" if len(trouble) > 1 else ""
        raise EstimatorError(f"weights {path} are of another network: {trouble[0]}{more}")


def _read_torch(path: Path) -> Any:
    if torch.__version__ < _SAFE_TORCH:
        raise ValueError(
            f"torch {torch.__version__} runs code hidden in files of weights (CVE-2025-32434), "
            f"must be {_SAFE_TORCH} or newer"
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # What torch says here is a page about how to run it all the same.
        raise ValueError("it is no file of torch's, or holds more than weights") from error


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        return _ArrayUnpickler(file, encoding="latin1").load()


def _tensors(content: Any) -> dict[str, Tensor]:
    state = content.get("model", content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not state:
        raise ValueError(f"it holds a {type(state).__name__}, not weights by name")
    return {str(name): _tensor(name, value) for name, value in state.items()}


def _tensor(name: object, value: object) -> Tensor:
    if isinstance(value, Tensor):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in _NUMBERS:
        raise ValueError(f"{name} is no array of numbers but {type(value).__name__}")
    return torch.from_numpy(np.array(array))


class _ArrayUnpickler(pickle.Unpickler):
    """Reads NumPy arrays, numbers, text and plain containers, and refuses everything else.

    A pickle names the functions to call while it is read; these are the only ones it gets.
    """

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module.replace("numpy._core", "numpy.core"), name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it wants to use {module}.{name}, and only arrays and plain containers may be "
                "in it"
            ) from None


def _encode(text: str, encoding: str) -> bytes:
    """Stand for _codecs.encode, which is how old protocols write bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it holds bytes as {encoding}")
    return text.encode("latin1")


_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(1).__reduce__()[0],
    ("numpy.core.multiarray", "scalar"): np.float64(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
}
