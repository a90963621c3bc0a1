"""Files of weights, read without running what may be hidden in them."""

import pickle
import pickletools
import re
import warnings
import zipfile
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from poseflow_ros.estimation.estimator import EstimatorError
from poseflow_ros.estimation.torch_device import first_line

_NUMBERS = "[<>=|]?[fiub][0-9]{1,2}"
_SAFE_TORCH = "2.6"
_ADVICE = "weights_only"
_MEMO_OPCODES = ("PUT", "BINPUT", "LONG_BINPUT")
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
    except Exception as error:
        # Over a damaged file torch, pickle and NumPy raise all sorts of things.
        raise EstimatorError(f"weights {path} cannot be read: {first_line(error)}") from error


def load_state(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Put the weights into a network that must have the very same.

    Raises:
        EstimatorError: the weights are of another network.
    """
    try:
        missing, unexpected = network.load_state_dict(dict(state), strict=False)
    except RuntimeError as error:
        # After a title every line tells of a size that differs.
        trouble = [line.strip() for line in str(error).splitlines()[1:]] or [first_line(error)]
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
    _check_size(path)
    try:
        # torchvision's training script saves its arguments beside the weights.
        with warnings.catch_warnings(), torch.serialization.safe_globals([Namespace]):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and _ADVICE not in str(error):
            raise
        # What torch says here is a page about how to run it all the same.
        raise ValueError("it is no file of torch's, or holds more than weights") from error


def _check_size(path: Path) -> None:
    """Refuse a zip that grows when it is read: torch compresses nothing."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            n_bytes = sum(part.file_size for part in archive.infolist())
        if n_bytes > path.stat().st_size:
            raise ValueError(f"it is compressed, and would be {n_bytes} bytes")


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        _check_memo(file)
        file.seek(0)
        return _ArrayUnpickler(file, encoding="latin1").load()


def _check_memo(file: IO[bytes]) -> None:
    """Refuse a pickle that counts its objects in leaps: the memory is taken for all between."""
    for opcode, number, place in pickletools.genops(file):
        if opcode.name in _MEMO_OPCODES and (number or 0) > (place or 0):
            raise pickle.UnpicklingError(f"it has an object {number} at byte {place}")


def _tensors(content: Any) -> dict[str, Tensor]:
    state = content.get("model", content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not state:
        raise ValueError(f"it holds a {type(state).__name__}, not weights by name")
    return {_name(name): _tensor(name, value) for name, value in state.items()}


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise ValueError(f"a name of weights is of type {type(name).__name__}, must be str")
    if not name.isprintable():
        raise ValueError(f"{name!r:.80} is no name of weights")
    return name


def _tensor(name: str, value: object) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, _Array):
        value = value.values
    if not isinstance(value, np.ndarray | np.generic | int | float):
        raise ValueError(f"{name} is no array of numbers but {type(value).__name__}")
    return torch.from_numpy(np.array(value, np.asarray(value).dtype.newbyteorder("=")))


class _ArrayUnpickler(pickle.Unpickler):
    """Reads NumPy arrays, numbers, text and plain containers, and refuses everything else.

    A pickle names the functions to call while it is read; these are the only ones it gets. None is
    NumPy's own, which trusts what it is told: of sizes and types that are not those of the bytes.
    """

    def find_class(self, module: str, name: str) -> Any:
        try:
            admitted = _ADMITTED[module.replace("numpy._core", "numpy.core"), name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it wants to use {module}.{name}, and only arrays and plain containers may be "
                "in it"
            ) from None
        # A pickle can change the function it gets, which is therefore a copy.
        if isinstance(admitted, FunctionType):
            return FunctionType(admitted.__code__, admitted.__globals__)
        return admitted


class _Type:
    """Stands for numpy.dtype, of numbers alone."""

    def __init__(self, code: str, *_: object) -> None:
        if not re.fullmatch(_NUMBERS, code):
            raise pickle.UnpicklingError(f"it holds an array of {code!r}, not of numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for numpy.ndarray; pickle makes it first and fills it later."""

    values: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, kind, by_columns, content = state
        self.values = _from_buffer(_bytes(content), kind, shape, "F" if by_columns else "C")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _from_buffer(content: bytes, kind: _Type, shape: Any, order: Any) -> NDArray[Any]:
    return np.frombuffer(content, kind.dtype).reshape(shape, order=order)


def _scalar(kind: _Type, content: bytes | str) -> Any:
    return np.frombuffer(_bytes(content), kind.dtype).reshape(())


def _bytes(content: bytes | str) -> bytes:
    """Return the bytes, which Python 2 wrote as text."""
    return content.encode("latin1") if isinstance(content, str) else content


def _encode(text: str, encoding: str) -> bytes:
    """Stand for _codecs.encode, which is how old protocols write bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it holds bytes as {encoding}")
    return text.encode("latin1")


_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy", "ndarray"): None,  # a word for _reconstruct
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
}
