"""Read files of weights without running code that may be hidden in them."""

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

from poseflow_ros.estimation.errors import EstimatorError, first_line

_NUMBERS = "[<>=|]?[fiub][0-9]{1,2}"
_SAFE_TORCH = "2.6"
_ADVICE = "weights_only"
_MEMO_OPCODES = ("PUT", "BINPUT", "LONG_BINPUT")
_WRAPPERS = ("model", "state_dict")
_PREFIXES = ("module.", "_orig_mod.")
# Written by some versions of the libraries and not by others; always recomputed.
_LEFT_OUT = re.compile(r"num_batches_tracked$|cell_anchors|^pixel_(mean|std)$")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the weights by name from a file of torch, or of detectron2's model zoo (.pkl).

    Both may hold the weights themselves, or a dictionary with the weights under `model` or
    `state_dict`, and names that DataParallel or torch.compile have given a prefix.

    Raises:
        EstimatorError: it cannot be read, or holds anything other than weights.
    """
    try:
        content = _read_pickle(path) if path.suffix == ".pkl" else _read_torch(path)
        return _tensors(content)
    except Exception as error:
        # For a damaged file torch, pickle and NumPy raise many types.
        raise EstimatorError(f"weights {path} cannot be read: {first_line(error)}") from error


def load_state(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Load the weights into a network with exactly the same names and shapes.

    Args:
        network: changed in place.
        state: the weights by name.
        path: their file, named in the error.

    Raises:
        EstimatorError: the weights are of another network.
    """
    try:
        missing, unexpected = network.load_state_dict(dict(state), strict=False)
    except RuntimeError as error:
        # After a title, each line names a shape that differs.
        problems = [line.strip() for line in str(error).splitlines()[1:]] or [first_line(error)]
    else:
        problems = [f"{name} is missing" for name in missing if not _LEFT_OUT.search(name)]
        problems += [f"{name} is unexpected" for name in unexpected if not _LEFT_OUT.search(name)]
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise EstimatorError(f"weights {path} are of another network: {problems[0]}{more}")


def _read_torch(path: Path) -> Any:
    if torch.__version__ < _SAFE_TORCH:
        raise ValueError(
            f"torch {torch.__version__} can run code hidden in files of weights (CVE-2025-32434), "
            f"must be {_SAFE_TORCH} or newer"
        )
    _check_size(path)
    try:
        # torchvision's training script saves its arguments with the weights.
        with warnings.catch_warnings(), torch.serialization.safe_globals([Namespace]):
            warnings.simplefilter("ignore")
            with path.open("rb") as file:  # torch takes no name that is not text
                return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and _ADVICE not in str(error):
            raise
        # torch's own text is a page on how to load the file nevertheless.
        raise ValueError("it is not a file of torch, or holds more than weights") from error


def _check_size(path: Path) -> None:
    """Reject a compressed zip, which could expand without limit: torch does not compress."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            n_bytes = sum(part.file_size for part in archive.infolist())
        if n_bytes > path.stat().st_size:
            raise ValueError(f"it is compressed, and expands to {n_bytes} bytes")


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        _check_memo(file)
        file.seek(0)
        return _ArrayUnpickler(file, encoding="latin1").load()


def _check_memo(file: IO[bytes]) -> None:
    """Reject a pickle whose memo indices have gaps: memory is allocated for every index."""
    for opcode, number, place in pickletools.genops(file):
        if opcode.name in _MEMO_OPCODES and (number or 0) > (place or 0):
            raise pickle.UnpicklingError(f"it has the memo index {number} at byte {place}")


def _tensors(content: Any) -> dict[str, Tensor]:
    state = content
    for key in _WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not state:
        raise ValueError(f"it holds a {type(state).__name__}, not weights by name")
    return _without_prefixes({_name(name): _tensor(name, x) for name, x in state.items()})


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights without what DataParallel and torch.compile put before every name."""
    for prefix in _PREFIXES * 2:  # either of them may have wrapped the other
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise ValueError(f"the name of a weight is of type {type(name).__name__}, must be str")
    if not name.isprintable():
        raise ValueError(f"{name!r:.80} is not the name of a weight")
    return name


def _tensor(name: str, value: object) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, _Array):
        value = value.values
    if not isinstance(value, np.ndarray | np.generic | int | float):
        raise ValueError(f"{name} is of type {type(value).__name__}, must be an array of numbers")
    return torch.from_numpy(np.array(value, np.asarray(value).dtype.newbyteorder("=")))


class _ArrayUnpickler(pickle.Unpickler):
    """Reads NumPy arrays, numbers, text and plain containers, and rejects everything else.

    A pickle names the functions to call while it is read; only these are allowed. None of them is
    NumPy's own, which does not check sizes and types against the bytes.
    """

    def find_class(self, module: str, name: str) -> Any:
        try:
            allowed = _ALLOWED[module.replace("numpy._core", "numpy.core"), name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it uses {module}.{name}, but only arrays and plain containers are allowed"
            ) from None
        # A pickle can change a function that it gets, so it gets a copy.
        if isinstance(allowed, FunctionType):
            return FunctionType(allowed.__code__, allowed.__globals__)
        return allowed


class _Type:
    """Stands for numpy.dtype; numbers only."""

    def __init__(self, code: str, *_: object) -> None:
        if not re.fullmatch(_NUMBERS, code):
            raise pickle.UnpicklingError(f"it has an array of type {code!r}, not of numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for numpy.ndarray; pickle creates it first and fills it later."""

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
    """Return the bytes; Python 2 wrote them as text."""
    return content.encode("latin1") if isinstance(content, str) else content


def _encode(text: str, encoding: str) -> bytes:
    """Stand for _codecs.encode, with which old protocols write bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it has bytes encoded as {encoding}")
    return text.encode("latin1")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy", "ndarray"): None,  # an argument of _reconstruct
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
}
