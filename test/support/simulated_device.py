"""A simulated GPU: its tensors compute on the host, and what makes the host wait is counted.

torch's device `meta` stands for it, because it exists on every machine. As on a GPU, an operation
of tensors on two devices fails.
"""

from collections import Counter
from contextlib import ExitStack, contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")
# Operations of which the host needs the values, or whose result has as many rows as values say.
_WAITING = {
    "_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "bincount",
    "_unique2", "unique_dim", "unique_consecutive", "nms",
    "repeat_interleave",
}  # fmt: skip
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}
# Composite operations whose parts are no operations of their own on a GPU.
_WHOLE = ("upsample", "_upsample", "batch_norm")


class DeviceTensor(torch.Tensor):
    """A tensor of the simulated device."""

    @staticmethod
    def __new__(cls, host):
        with torch.inference_mode(False):
            made = torch.Tensor._make_wrapper_subclass(
                cls, host.size(), strides=host.stride(), storage_offset=host.storage_offset(),
                dtype=host.dtype, device=DEVICE,
            )  # fmt: skip
        made.host = host
        return made

    def tolist(self):
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise AssertionError("a tensor of the simulated device is used outside of it")


class SimulatedDevice(TorchDispatchMode):
    """Computes on the host and counts: waits by operation, and copies by direction."""

    def __init__(self):
        super().__init__()
        self.waits = Counter()
        self.copies = Counter()
        self.operations = 0

    def forget(self):
        self.waits.clear()
        self.copies.clear()
        self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, torch.Tensor)]
        here = [x for x in tensors if isinstance(x, DeviceTensor)]
        made_here = DEVICE in [x for x in (*args, kwargs.get("device")) if _is_device(x)]
        if not here and not made_here:
            return self._on_host(func, args, kwargs)
        name = func._schema.name.partition("::")[2]
        if not name.startswith(_WHOLE) and _is_composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        self._count(name, args, kwargs, here, tensors, made_here)
        return self._compute(func, name, args, kwargs, bool(here), made_here)

    def _on_host(self, func, args, kwargs):
        """Run an operation of the host; memory is pinned in name only."""
        pinned = kwargs.pop("pin_memory", None)
        result = func(*args, **kwargs)
        if pinned:
            result.pinned = True
        return result

    def _count(self, name, args, kwargs, here, tensors, made_here):
        self.operations += 1
        if name in ("_to_copy", "copy_"):
            self._count_copy(name, args, kwargs, made_here)
            return
        others = [x for x in tensors if not isinstance(x, DeviceTensor) and x.dim()]
        if name in _INDEXING:
            self._count_indexing(name, args, others)
        elif others:
            raise RuntimeError(f"{name}: expected all tensors to be on the same device")
        if name in _WAITING:
            self.waits[name] += 1

    def _count_copy(self, name, args, kwargs, made_here):
        source = args[0] if name == "_to_copy" else args[1]
        comes = isinstance(source, DeviceTensor)
        moves = kwargs.get("device") is not None if name == "_to_copy" else True
        goes = made_here if name == "_to_copy" and moves else isinstance(args[0], DeviceTensor)
        if comes == goes:
            return
        direction = "in" if goes else "out"
        self.copies[direction] += 1
        asynchronous = kwargs.get("non_blocking") or (
            name == "copy_" and len(args) > 2 and args[2]
        )
        if not (asynchronous and goes and getattr(source, "pinned", False)):
            self.waits[f"copy {direction}"] += 1

    def _count_indexing(self, name, args, others):
        """Count indices that are copied to the device, and masks, whose size must be known."""
        indices = [x for x in args[1] if x is not None]
        by_mask = any(x.dtype in (torch.bool, torch.uint8) for x in indices)
        if others:
            self.waits["copy in of indices"] += 1
        if by_mask and (name == "index" or args[2].numel() != 1):
            self.waits["index by a mask"] += 1

    def _compute(self, func, name, args, kwargs, has_input, made_here):
        args, kwargs = tree_map(_to_host, (args, kwargs))
        result = func(*args, **kwargs)
        leaves = name == "_to_copy" and not made_here and "device" in kwargs
        if leaves or name == "_local_scalar_dense":
            return result
        return tree_map(_to_device, result)


def _is_composite(func):
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    return func.has_kernel_for_dispatch_key(key)


def _is_device(value):
    return isinstance(value, torch.device)


def _to_host(value):
    if isinstance(value, DeviceTensor):
        return value.host
    return torch.device("cpu") if _is_device(value) else value


def _to_device(value):
    if isinstance(value, torch.Tensor) and not isinstance(value, DeviceTensor):
        return DeviceTensor(value)
    return value


class _FromNumbers(TorchFunctionMode):
    """Makes tensors from numbers as on a GPU: on the host, and then copied."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.tensor and kwargs.get("device") == DEVICE:
            del kwargs["device"]
            return torch.tensor(*args, **kwargs).to(DEVICE)
        if func is torch.Tensor.new_tensor and isinstance(args[0], DeviceTensor):
            return torch.tensor(args[1], dtype=kwargs.get("dtype", args[0].dtype)).to(DEVICE)
        return func(*args, **kwargs)


@contextmanager
def simulated_device():
    """Yield the simulated device; modules can be moved to it meanwhile."""
    device = SimulatedDevice()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with ExitStack() as stack:
            stack.enter_context(_FromNumbers())
            stack.enter_context(device)
            stack.enter_context(torch.no_grad())
            yield device
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
