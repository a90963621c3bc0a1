"""Files of weights: what is read, and that nothing hidden in one is ever run."""

import contextlib
import copyreg
import os
import pickle
import re
import subprocess
import tracemalloc
import warnings
import zipfile
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path
from pickletools import opcodes as all_opcodes

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from poseflow_ros.estimation.checkpoints import load_state, read_checkpoint  # noqa: E402
from poseflow_ros.estimation.errors import EstimatorError  # noqa: E402

# Their bytes reach above 127, where the encodings differ.
KERNEL = np.array([[-1.5, 0.25, 3e38], [1e-30, -0.0, 7.0]], np.float32)
BIAS = np.array([-2, 300], np.int64)


def network():
    return nn.Sequential(OrderedDict(one=nn.Linear(3, 2), two=nn.Linear(2, 1)))


def state():
    return {name: torch.full(value.shape, 0.5) for name, value in network().state_dict().items()}


def zoo(**more):
    """Return what a file of detectron2's model zoo holds."""
    return {"model": {"kernel": KERNEL, "bias": BIAS}, "__author__": "Caffe2", **more}


def written(path, content):
    path.write_bytes(content)
    return path


def refusal(path):
    """Return the one line that refuses a file."""
    with pytest.raises(EstimatorError) as caught:
        read_checkpoint(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"weights {path} cannot be read: ")
    assert not line.endswith(": ")
    return line


def assert_is_zoo(weights):
    assert list(weights) == ["kernel", "bias"]
    np.testing.assert_array_equal(weights["kernel"].numpy(), KERNEL)
    np.testing.assert_array_equal(weights["bias"].numpy(), BIAS)
    assert (weights["kernel"].dtype, weights["bias"].dtype) == (torch.float32, torch.int64)


# What is read.


@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda state: state, id="the weights"),
        pytest.param(OrderedDict, id="an ordered dictionary"),
        pytest.param(
            lambda state: {
                "model": state,
                "optimizer": torch.optim.SGD(network().parameters(), 0.1, 0.9).state_dict(),
                "epoch": 3,
                "args": Namespace(lr=0.1, data_path="/data"),
            },
            id="what a training script saves",
        ),
    ],
)
def test_torch_file_is_read(wrap, as_zip, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(wrap(state()), path, _use_new_zipfile_serialization=as_zip)
    weights = read_checkpoint(path)
    assert {name: value.shape for name, value in weights.items()} == {
        "one.weight": (2, 3), "one.bias": (2,), "two.weight": (1, 2), "two.bias": (1,),
    }  # fmt: skip
    assert all((value == 0.5).all() for value in weights.values())


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda zoo: zoo, id="as it is"),
        pytest.param(lambda zoo: zoo["model"], id="the weights alone"),
        pytest.param(lambda zoo: OrderedDict(zoo["model"]), id="an ordered dictionary"),
    ],
)
def test_model_zoo_file_is_read(wrap, protocol, tmp_path):
    content = pickle.dumps(wrap(zoo(matching_heuristics=True)), protocol)
    assert_is_zoo(read_checkpoint(written(tmp_path / "zoo.pkl", content)))


@pytest.mark.parametrize("protocol", [0, 1, 2, 3])
@pytest.mark.parametrize("module", [b"numpy.core", b"numpy._core"], ids=["NumPy 1", "NumPy 2"])
def test_arrays_of_either_numpy_are_read(module, protocol, tmp_path):
    content = pickle.dumps(zoo(), protocol).replace(b"numpy._core", b"numpy.core")
    assert content.count(b"numpy.core") == 1
    content = content.replace(b"numpy.core", module)
    assert_is_zoo(read_checkpoint(written(tmp_path / "zoo.pkl", content)))


def test_file_written_by_python_2_is_read(tmp_path):
    # numpy.dtype("f4") and an array of (2, 3) with its bytes in a str, as protocol 2 of Python 2
    # writes them.
    dtype = (
        b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
    )
    dtype += b"K\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    array += b"(K\x01K\x02K\x03\x86" + dtype + b"\x89U\x18" + KERNEL.tobytes() + b"tb"
    content = b"\x80\x02}(U\x05model}U\x06kernel" + array + b"sU\x0a__author__U\x06Caffe2u."
    weights = read_checkpoint(written(tmp_path / "zoo.pkl", content))
    np.testing.assert_array_equal(weights["kernel"].numpy(), KERNEL)


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        pytest.param(np.float32(2), torch.float32, id="a scalar"),
        pytest.param(np.int64(2), torch.int64, id="a whole number"),
        pytest.param(np.bool_(True), torch.bool, id="a truth"),
        pytest.param(2, torch.int64, id="a number of Python's"),
        pytest.param(np.array(2.0), torch.float64, id="an array of no axes"),
        pytest.param(np.asfortranarray(KERNEL), torch.float32, id="by columns"),
        pytest.param(KERNEL[:, ::2], torch.float32, id="every other column"),
        pytest.param(KERNEL.astype(">f4"), torch.float32, id="the other byte order"),
        pytest.param(BIAS.astype(np.float16), torch.float16, id="half precision"),
        pytest.param(np.arange(9, dtype=np.uint8), torch.uint8, id="bytes"),
    ],
)
def test_numbers_of_every_type_are_read(value, dtype, protocol, tmp_path):
    content = pickle.dumps({"model": {"value": value}}, protocol)
    found = read_checkpoint(written(tmp_path / "zoo.pkl", content))["value"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), value)


# What would run something. Each is known to work where nobody looks at what is read.


class Call:
    """Pickled, it calls a function with its arguments when it is read."""

    def __init__(self, function, *arguments, state=None):
        self._reduced = function, arguments, state

    def __reduce__(self):
        return self._reduced


def shell(mark):
    return Call(os.system, f"touch {mark}")


def named(module, name):
    """Return the opcodes that name a function by a path inside its module, from protocol 4 on."""
    parts = (b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name))
    return b"".join(parts) + b"\x93"


def word(mark):
    """Return the opcodes that make `touch MARK` the one argument of a call."""
    return pickle.dumps((f"touch {mark}",), 0).removesuffix(b".")


# What makes the object that is hidden in a file, from the path that it marks.
OBJECTS = {
    "os.system": shell,
    "subprocess": lambda mark: Call(subprocess.check_call, ["touch", str(mark)]),
    "eval": lambda mark: Call(eval, f"open({str(mark)!r}, 'w')"),
    "exec": lambda mark: Call(exec, f"open({str(mark)!r}, 'w')"),
    "open": lambda mark: Call(open, str(mark), "w"),
    "numpy.savetxt": lambda mark: Call(np.savetxt, str(mark), [1]),
    "numpy's test helper": lambda mark: Call(
        np.testing.runstring, f"open({str(mark)!r}, 'w')", {}
    ),
    "an array of objects": lambda mark: np.array([shell(mark), None], object),
    "a structured array": lambda mark: np.array([(1, shell(mark))], "i4,O"),
    "a list": lambda mark: [KERNEL, [shell(mark)]],
    "a key": lambda mark: {shell(mark): KERNEL},
    "the state of an ordered dictionary": lambda mark: Call(OrderedDict, state=shell(mark)),
    "a pickle in a pickle": lambda mark: Call(pickle.loads, pickle.dumps(shell(mark))),
}
# The same in opcodes, which no pickler writes.
OPCODES = {
    "getattr and __import__": lambda mark: (
        b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(S'os'\ntRS'system'\ntR" + word(mark) + b"R."
    ),
    "importlib and getattr": lambda mark: (
        b"cbuiltins\ngetattr\n(cimportlib\nimport_module\n(S'os'\ntRS'system'\ntR"
        + word(mark) + b"R."
    ),
    "INST": lambda mark: f"(S'touch {mark}'\nios\nsystem\n.".encode(),
    "OBJ": lambda mark: f"(cos\nsystem\nS'touch {mark}'\no.".encode(),
    "NEWOBJ and BUILD": lambda mark: (
        f"\x80\x02cpathlib\nPath\n)\x81N}}(S'x'\ncos\nsystem\n(S'touch {mark}'\ntRu\x86b."
        .encode("latin1")
    ),
    "Python 2's builtins": lambda mark: (
        f"\x80\x02c__builtin__\neval\n(S'open(\"{mark}\", \"w\")'\ntR.".encode("latin1")
    ),
    "a dotted name in pathlib": lambda mark: (
        b"\x80\x04" + named("pathlib", "os.system") + word(mark) + b"R."
    ),
    "a dotted name in numpy": lambda mark: (
        b"\x80\x04" + named("numpy", "ndarray.tofile") + pickle.dumps((KERNEL, str(mark)), 2)[2:-1]
        + b"R."
    ),
    "an extension": lambda mark: b"\x80\x02\x82\xf0" + word(mark) + b"R.",
}  # fmt: skip
PAYLOADS = [
    *(
        pytest.param(lambda mark, n=n: pickle.dumps({"model": shell(mark)}, n), id=f"protocol {n}")
        for n in range(6)
    ),
    *(
        pytest.param(lambda mark, make=make: pickle.dumps(zoo(hidden=make(mark)), 4), id=name)
        for name, make in OBJECTS.items()
        if name != "a key"
    ),
    *(pytest.param(opcodes, id=name) for name, opcodes in OPCODES.items()),
]


@pytest.fixture
def extension():
    """Register os.system under a number, as a program may do for what it pickles."""
    place = os.system.__module__, "system", 0xF0
    copyreg.add_extension(*place)
    yield
    copyreg.remove_extension(*place)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_code_in_a_pickle_is_not_run(payload, tmp_path, extension):
    mark = tmp_path / "mark"
    path = written(tmp_path / "weights.pkl", payload(mark))
    assert re.search("but only arrays|not of numbers", refusal(path))
    assert not mark.exists()
    with contextlib.suppress(Exception):
        pickle.loads(path.read_bytes(), encoding="latin1")
    assert mark.exists(), "this payload is harmless, and so no test"


def repickled(path, content):
    """Put another pickle into a zip of torch's."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            archive.writestr(name, content if name.endswith("data.pkl") else part)


@pytest.mark.parametrize("kind", ["zip", "legacy", "bare"])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_code_in_a_torch_file_is_not_run(payload, kind, tmp_path, extension):
    mark, path = tmp_path / "mark", tmp_path / "weights.pth"
    content = payload(mark)
    torch.save(state(), path, _use_new_zipfile_serialization=kind == "zip")
    if kind == "zip":
        repickled(path, content)
    else:
        # Before the weights stand a number, a version and what the machine is like.
        head = b"".join(pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {}))
        path.write_bytes((head if kind == "legacy" else b"") + content)
    refusal(path)
    assert not mark.exists()


@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "legacy"])
def test_pickled_module_is_rejected(as_zip, tmp_path):
    torch.save(network(), tmp_path / "weights.pth", _use_new_zipfile_serialization=as_zip)
    line = refusal(tmp_path / "weights.pth")
    assert "holds more than weights" in line
    assert "weights_only" not in line  # torch says how to run it all the same


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_torchscript_is_rejected(tmp_path):
    torch.jit.save(torch.jit.script(nn.Linear(2, 1)), tmp_path / "weights.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line = refusal(tmp_path / "weights.pth")
    assert "holds more than weights" in line
    assert "weights_only" not in line


ENCODED = b"\nencode\nX\1\0\0\0aX\5\0\0\0rot13\x86R."


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"\x80\x02ccodecs" + ENCODED, "codecs.encode", id="codecs"),
        pytest.param(b"\x80\x02c_codecs" + ENCODED, "bytes encoded as rot13", id="a codec"),
        pytest.param(b"Pos.system\n.", "persistent", id="a persistent id"),
        pytest.param(b"\x80\x02X\1\0\0\0aQ.", "persistent", id="a binary persistent id"),
        pytest.param(b"\x80\x02\x82\xf1.", "extension", id="no such extension"),
        pytest.param(b"\x80\x04%b." % named("numpy", "dtype.x"), "dtype.x", id="a dotted name"),
        pytest.param(b"\x80\x04%b." % named("numpy\nx", "y"), "numpy", id="a name of two lines"),
        pytest.param(b"cnumpy\nload\n.", "numpy.load", id="numpy.load"),
        pytest.param(b"cnumpy.core.multiarray\nfromfile\n.", "fromfile", id="fromfile"),
        pytest.param(b"cnumpy.core.numeric\nfromfunction\n.", "fromfunction", id="fromfunction"),
        pytest.param(b"ctorch\nload\n.", "torch.load", id="torch.load"),
        pytest.param(b"\x80\x09N.", "protocol", id="a protocol to come"),
    ],
)
def test_other_pickle_operations_are_rejected(content, told, tmp_path):
    assert told in refusal(written(tmp_path / "weights.pkl", content))


def array(shape, dtype=b"S'f4'\nI00\nI01\nt", raw=b"", build=True):
    """Return the opcodes of an array of any shape, however few its bytes."""
    new = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n%bS'b'\ntR"
    filled = b"(I1\n%bcnumpy\ndtype\n(" + dtype + b"RI00\nS'" + raw + b"'\ntb"
    return new % b"(I0\nt" + filled % shape if build else new % shape


# A list of a hundred lists, each the same, of a hundred lists, and so on: 10^10 numbers.
LISTS = b"(I1\nlp0\n0" + b"".join(b"(%blp%d\n0" % (b"g%d\n" % i * 100, i + 1) for i in range(5))
LISTS += b"g5\n"
MANY = b"(I50000000000\nt"
SOME = b"(I100000000\nt"  # which a machine has the memory for


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(array(MANY), id="200 GB filled"),
        pytest.param(array(SOME), id="400 MB filled"),
        pytest.param(array(MANY, build=False), id="200 GB not filled"),
        pytest.param(array(SOME, build=False), id="100 MB not filled"),
        pytest.param(b"cnumpy\nndarray\n(" + SOME + b"S'f4'\ntR", id="an array by its type"),
        pytest.param(
            b"cnumpy\nndarray\n(" + SOME + b"S'f4'\nc_codecs\nencode\n(S'abcd'\nS'latin1'\ntR"
            b"I0\n(I0\nttR",
            id="one number again and again",
        ),
        pytest.param(b"cnumpy\ndtype\n(S'V400000000'\ntR", id="a type of 400 MB"),
        pytest.param(LISTS, id="lists of the same lists"),
        pytest.param(b"I1\nr\xff\xff\xff\x00", id="a far place in the memo"),
        pytest.param(b"I1\np99999999\n", id="a far place in the memo, in text"),
    ],
)  # fmt: skip
def test_small_pickle_cannot_allocate_much_memory(content, tmp_path):
    path = written(tmp_path / "weights.pkl", b"(dS'kernel'\n" + content + b"s.")
    tracemalloc.start()
    try:
        refusal(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6


def test_pickle_cannot_change_numpy_types(tmp_path):
    # What is asked for here: little numbers of four bytes that are from now on big-endian objects.
    content = b"(dS'kernel'\ncnumpy\ndtype\n(S'f4'\nI00\nI00\ntR(I3\nS'>'\nN(S'a'\nt(dS'a'\n"
    content += b"(cnumpy\ndtype\n(S'O'\nI00\nI00\ntRI0\ntsI8\nI8\nI63\ntbs."
    refusal(written(tmp_path / "weights.pkl", content))
    assert np.frombuffer(b"\0\0\x80?", np.dtype("f4"))[0] == 1.0


def test_pickle_cannot_change_the_reader_functions(tmp_path):
    # What is asked for: a new attribute, and an encoding for calls that name none.
    encode, defaults = b"c_codecs\nencode\n", b"S'__defaults__'\n(S'latin1'\nts"
    for state in (b"(dS'x'\nI1\ns", b"(N(d" + defaults + b"t"):
        content = b"(dS'a'\nI1\ns0" + encode + state + b"b0(dS'a'\nI1\ns."
        read_checkpoint(written(tmp_path / "weights.pkl", content))
    call = b"(dS'a'\n" + encode + b"(S'a'\ntRs."
    assert "missing 1 required" in refusal(written(tmp_path / "weights.pkl", call))


def test_long_names_are_truncated_in_errors(tmp_path):
    # A pair of the same pair, of the same pair, and so on: 2^21 numbers.
    content = b"\x80\x02}K\1\x85" + b"2\x86" * 21 + b"K\1s."
    tracemalloc.start()
    try:
        assert "is of type tuple" in refusal(written(tmp_path / "weights.pkl", content))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1e6


def test_zip_bomb_is_rejected_without_reading(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"kernel": torch.zeros(10**7)}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    assert path.stat().st_size < 1e5
    assert re.search("it is compressed, and expands to 4[0-9]{7} bytes", refusal(path))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param([KERNEL], "list", id="a list"),
        pytest.param(7, "int", id="a number"),
        pytest.param(None, "NoneType", id="nothing"),
        pytest.param(KERNEL, "", id="one array"),
        pytest.param({}, "dict", id="an empty dictionary"),
        pytest.param({"model": []}, "list", id="a list for a model"),
        pytest.param({"model": {}}, "dict", id="an empty model"),
        pytest.param({"kernel": "text"}, "kernel", id="texts"),
        pytest.param({"kernel": None}, "kernel", id="nothing for weights"),
        pytest.param({"kernel": [1.0, 2.0]}, "kernel", id="a list for weights"),
        pytest.param({"kernel": [[1.0], 2.0]}, "kernel", id="a ragged list for weights"),
        pytest.param({"state_dict": {"kernel": KERNEL}}, "state_dict", id="under another name"),
        pytest.param({"kernel": KERNEL.astype(complex)}, "", id="complex numbers"),
        pytest.param({"kernel": np.array(["text"])}, "", id="an array of texts"),
        pytest.param({"kernel": np.array([None])}, "", id="an array of objects"),
        pytest.param({1: KERNEL}, "is of type int", id="a number for a name"),
        pytest.param({"a\nb": KERNEL}, "'a\\nb' is not the name", id="a name of two lines"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_content_other_than_named_weights_is_rejected(content, named, protocol, tmp_path):
    path = written(tmp_path / "weights.pkl", pickle.dumps(content, protocol))
    assert named in refusal(path)


@pytest.mark.parametrize(
    "content",
    [[torch.zeros(2)], torch.zeros(2), 7, {}, {"kernel": "text"}, {"state_dict": state()}],
    ids=["a list", "a tensor", "a number", "an empty dictionary", "texts", "another name"],
)
@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "legacy"])
def test_torch_file_without_named_weights_is_rejected(content, as_zip, tmp_path):
    torch.save(content, tmp_path / "weights.pth", _use_new_zipfile_serialization=as_zip)
    refusal(tmp_path / "weights.pth")


@pytest.fixture(params=["zoo.pkl", "zip.pth", "legacy.pth"])
def whole(request, tmp_path):
    """Make a file that is in order; return its path."""
    path = tmp_path / request.param
    if path.suffix == ".pkl":
        return written(path, pickle.dumps(zoo(), 4))
    torch.save(state(), path, _use_new_zipfile_serialization=path.stem == "zip")
    return path


@pytest.mark.parametrize("kept", [0, 1, 2, 10, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, -1])
def test_truncated_file_is_rejected(kept, whole):
    content = whole.read_bytes()
    length = int(kept * len(content)) if isinstance(kept, float) else kept
    whole.write_bytes(content[:length])
    refusal(whole)


def test_file_truncated_anywhere_is_rejected(whole):
    content = whole.read_bytes()
    for length in range(0, len(content), 7):
        whole.write_bytes(content[:length])
        refusal(whole)


def test_file_damaged_anywhere_is_read_or_rejected(whole):
    content, rng = whole.read_bytes(), np.random.default_rng(7)
    for _ in range(600):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), rng.integers(1, 5)):
            damaged[place] = rng.integers(0, 256)
        whole.write_bytes(damaged)
        with contextlib.suppress(EstimatorError):
            read_checkpoint(whole)


@pytest.mark.parametrize("name", ["weights.pkl", "weights.pth"])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(np.random.default_rng(0).bytes(5000), id="random"),
        pytest.param(b"These are no weights.\n" * 100, id="a text"),
        pytest.param(b"\x80", id="a byte of a pickle"),
        pytest.param(b"\x80\x04.", id="a pickle of nothing"),
        pytest.param(b"PK\x03\x04", id="four bytes of a zip"),
        pytest.param(b"\0" * 5000, id="zeros"),
    ],
)
def test_other_file_is_rejected(content, name, tmp_path):
    refusal(written(tmp_path / name, content))


@pytest.mark.parametrize("name", ["weights.pkl", "weights.pth"])
def test_folder_and_missing_file_are_rejected(name, tmp_path):
    refusal(tmp_path / name)
    (tmp_path / name).mkdir()
    refusal(tmp_path / name)


def test_random_bytes_are_rejected(tmp_path):
    rng, path = np.random.default_rng(3), tmp_path / "weights.pkl"
    opcodes = np.frombuffer(
        bytes(opcode.code.encode("latin1")[0] for opcode in all_opcodes), np.uint8
    )
    for _ in range(600):
        body = rng.choice(opcodes, 40) if rng.random() < 0.5 else rng.integers(0, 256, 40)
        path.write_bytes(b"\x80\x04" + bytes(body.astype(np.uint8)) + b".")
        with pytest.raises(EstimatorError):
            read_checkpoint(path)


# Into the network.


def loading(weights):
    """Return the one line that refuses weights for the network."""
    with pytest.raises(EstimatorError) as caught:
        load_state(network(), weights, Path("some/file.pth"))
    (line,) = str(caught.value).splitlines()
    start = "weights some/file.pth are of another network: "
    assert line.startswith(start)
    return line.removeprefix(start)


def test_weights_are_loaded():
    model, weights = network(), state()
    load_state(model, weights, Path("file"))
    assert all((value == 0.5).all() for value in model.state_dict().values())


LEFT_OUT = ["num_batches_tracked", "cell_anchors.0", "pixel_mean", "pixel_std"]


@pytest.mark.parametrize(
    "name", ["two.bn.num_batches_tracked", "rpn.cell_anchors.0", *LEFT_OUT[2:]]
)
def test_version_dependent_weights_are_optional(name):
    load_state(network(), state() | {name: torch.zeros(1)}, Path("file"))
    model = network()
    *folders, last = name.split(".")
    parent = model
    for folder in folders:
        child = getattr(parent, folder, None) or nn.Module()
        parent.add_module(folder, child)
        parent = child
    parent.register_buffer(last, torch.zeros(1))
    load_state(model, state(), Path("file"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        # what is wrong with the weights, what is told of it
        pytest.param({"two.bias": None}, "two.bias is missing", id="one missing"),
        pytest.param(
            {"one.bias": None, "two.bias": None, "two.weight": None},
            "one.bias is missing, and 2 more",
            id="three missing",
        ),
        pytest.param({"x": torch.zeros(1)}, "x is unexpected", id="one too many"),
        pytest.param(
            {"x": torch.zeros(1), "two.bias": None},
            "two.bias is missing, and 1 more",
            id="another name",
        ),
        pytest.param(
            {"x.num_batches_tracked": torch.zeros(1), "x": torch.zeros(1)},
            "x is unexpected",
            id="one too many beside one let pass",
        ),
        pytest.param({"my_pixel_mean": torch.zeros(1)}, "my_pixel_mean is unexpected", id="own"),
    ],
)
def test_weights_of_another_network_are_rejected(change, told):
    weights = {name: value for name, value in (state() | change).items() if value is not None}
    assert loading(weights) == told


def test_different_shape_is_reported():
    line = loading(state() | {"two.bias": torch.zeros(5)})
    assert line.startswith("size mismatch for two.bias")
    assert "5" in line
    line = loading(state() | {"one.bias": torch.zeros(5), "two.bias": torch.zeros(5)})
    assert line.startswith("size mismatch for one.bias")
    assert line.endswith(", and 1 more")
