"""Small ONNX models whose outputs are known: constants, or where the red spot of the image is."""

import onnx
from onnx import parser

_HEADER = '<ir_version: 8, opset_import: ["" : 17]>'


def save(path, graph, metadata=None):
    """Write a model in ONNX's text syntax to a file; return the path.

    Args:
        path: the file.
        graph: such as `m (float[N, 3, 64, 64] x) => (float[N, 5] y) { y = ... }`.
        metadata: key -> value, as text.
    """
    model = parser.parse_model(f"{_HEADER}\n{graph}")
    onnx.helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def constant(name, array):
    """Return a line that sets a name to an array of floats."""
    shape = ", ".join(map(str, array.shape))
    values = ", ".join(repr(float(value)) for value in array.ravel())
    return f"{name} = Constant <value = float[{shape}] {{{values}}}> ()"


def integers(name, *values):
    return f"{name} = Constant <value = int64[{len(values)}] {{{', '.join(map(str, values))}}}> ()"


def constant_graph(outputs, size=(64, 96), batch="N", dtype="float", first=""):
    """Return a graph whose outputs are the same for every image of the batch.

    Args:
        outputs: name -> array for one image, without the batch axis; integers become int64.
        size: height and width of the input; names for any.
        batch: number of images, or a name for any.
        dtype: of input and outputs, float or float16.
        first: lines that make `x` from `images`; empty to use `images` itself.
    """
    lines = [first or "x = Identity (images)", "sizes = Shape (x)", integers("zero", 0)]
    lines.append("batch = Gather <axis = 0> (sizes, zero)")
    declared = []
    for name, array in outputs.items():
        kind = "int64" if array.dtype.kind == "i" else dtype
        dims = ", ".join(map(str, (batch, *array.shape)))
        declared.append(f"{kind}[{dims}] {name}")
        to = {"int64": 7, "float": 1, "float16": 10}[kind]
        lines += [
            constant(f"{name}_one", array[None]),
            integers(f"{name}_shape", *array.shape),
            f"{name}_all = Concat <axis = 0> (batch, {name}_shape)",
            f"{name}_float = Expand ({name}_one, {name}_all)",
            f"{name} = Cast <to = {to}> ({name}_float)",
        ]
    body = "\n".join(lines)
    shape = ", ".join(map(str, (batch, 3, *size)))
    return f"m ({dtype}[{shape}] images) => ({', '.join(declared)}) {{\n{body}\n}}"


def red_spot(red, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)):
    """Return lines that set `px` and `py` (N, 1) to the centre of what is red.

    The input is images = (value - mean) / std for each channel, with values from 0 to 255. Red is
    what exceeds both other channels by more than 40.

    Args:
        red: index of the red channel; green is 1.
        mean: of the channels, in their order.
        std: likewise.
    """
    blue = 2 - red
    lines = []
    for name, index in (("red", red), ("green", 1), ("blue", blue)):
        lines += [
            f"{name}_index = Constant <value = int64 {{{index}}}> ()",
            f"{name}_mean = Constant <value = float {{{mean[index]!r}}}> ()",
            f"{name}_std = Constant <value = float {{{std[index]!r}}}> ()",
            f"{name}_in = Gather <axis = 1> (images, {name}_index)",
            f"{name}_scaled = Mul ({name}_in, {name}_std)",
            f"{name} = Add ({name}_scaled, {name}_mean)",
        ]
    lines += [
        "least = Constant <value = float {40.0}> ()",
        "tiny = Constant <value = float {0.000001}> ()",
        "others = Max (green, blue)",
        "excess = Sub (red, others)",
        "over = Sub (excess, least)",
        "weight = Relu (over)",
        integers("axis_1", 1),
        integers("axis_2", 2),
        "columns = ReduceSum <keepdims = 0> (weight, axis_1)",
        "rows = ReduceSum <keepdims = 0> (weight, axis_2)",
        "sizes = Shape (images)",
        "start = Constant <value = int64 {0}> ()",
        "step = Constant <value = int64 {1}> ()",
        "sum_raw = ReduceSum <keepdims = 1> (columns, axis_1)",
        "total = Add (sum_raw, tiny)",
    ]
    for axis, (name, line) in enumerate((("py", "rows"), ("px", "columns")), start=2):
        lines += [
            f"{name}_axis = Constant <value = int64 {{{axis}}}> ()",
            f"{name}_n = Gather <axis = 0> (sizes, {name}_axis)",
            f"{name}_int = Range (start, {name}_n, step)",
            f"{name}_at = Cast <to = 1> ({name}_int)",
            f"{name}_moment = Mul ({line}, {name}_at)",
            f"{name}_sum = ReduceSum <keepdims = 1> ({name}_moment, axis_1)",
            f"{name} = Div ({name}_sum, total)",
        ]
    return "\n".join(lines)


def spot_graph(size, red, mean, std, outputs, lines):
    """Return a graph that makes outputs from where red is in the input: `px` and `py` (N, 1)."""
    height, width = size
    body = "\n".join([red_spot(red, mean, std), "nought = Sub (px, px)", *lines])
    return f"m (float[N, 3, {height}, {width}] images) => ({outputs}) {{\n{body}\n}}"


_BOX = [
    # A box of 40 x 80 pixels around the spot, and its score.
    "half = Constant <value = float[1, 5] {-20.0, -40.0, 20.0, 40.0, 0.9}> ()",
    "corners = Concat <axis = 1> (px, py, px, py, nought)",
    "row = Add (corners, half)",
    "dets = Unsqueeze (row, axis_1)",
]
_POINT = [
    "score = Constant <value = float {0.8}> ()",
    "scores = Add (nought, score)",
    "point = Concat <axis = 1> (px, py, scores)",
]


def one_stage_spot(size=(256, 320)):
    """A model as RTMO: BGR from 0 to 255; all 17 keypoints are at the red spot."""
    lines = [
        *_BOX,
        *_POINT,
        integers("axes", 1, 2),
        "one = Unsqueeze (point, axes)",
        integers("repeats", 1, 1, 17, 1),
        "keypoints = Tile (one, repeats)",
    ]
    outputs = "float[N, 1, 5] dets, float[N, 1, 17, 3] keypoints"
    return spot_graph(size, 2, (0.0,) * 3, (1.0,) * 3, outputs, lines)


def yolo_pose_spot(size=(256, 320)):
    """A YOLO pose model, raw: RGB from 0 to 1; all 17 keypoints are at the red spot."""
    lines = [
        *_POINT,
        "sides = Constant <value = float[1, 2] {40.0, 80.0}> ()",
        "box = Add (nought, sides)",
        integers("repeats", 1, 17),
        "points = Tile (point, repeats)",
        "channels = Concat <axis = 1> (px, py, box, scores, points)",
        "output0 = Unsqueeze (channels, axis_2)",
    ]
    return spot_graph(size, 0, (0.0,) * 3, (255.0,) * 3, "float[N, 56, 1] output0", lines)


def detector_spot(mean, std, size=(256, 320)):
    """A detector of MMDetection: BGR; a person around the red spot."""
    lines = [*_BOX, "labels = Cast <to = 7> (nought)"]
    outputs = "float[N, 1, 5] dets, int64[N, 1] labels"
    return spot_graph(size, 2, mean, std, outputs, lines)


def simcc_spot(mean, std, size=(256, 192), n_keypoints=17):
    """A top-down model: RGB; in two bins for each pixel all keypoints are at the red spot."""
    lines = [
        "two = Constant <value = float {2.0}> ()",
        "height_value = Constant <value = float {0.7}> ()",
        integers("repeats", 1, n_keypoints, 1),
    ]
    for name, side in (("px", size[1]), ("py", size[0])):
        bins = ", ".join(f"{i}.0" for i in range(2 * side))
        lines += [
            f"{name}_bins = Constant <value = float[1, {2 * side}] {{{bins}}}> ()",
            f"{name}_two = Mul ({name}, two)",
            f"{name}_difference = Sub ({name}_bins, {name}_two)",
            f"{name}_distance = Abs ({name}_difference)",
            f"{name}_value = Sub (height_value, {name}_distance)",
            f"{name}_line = Unsqueeze ({name}_value, axis_1)",
            f"simcc_{name[1]} = Tile ({name}_line, repeats)",
        ]
    outputs = ", ".join(
        f"float[N, {n_keypoints}, {2 * side}] simcc_{axis}"
        for axis, side in (("x", size[1]), ("y", size[0]))
    )
    return spot_graph(size, 0, mean, std, outputs, lines)


def heatmap_spot(mean, std, pixels, size=(256, 192), transformer=False, n_keypoints=17):
    """A top-down model: RGB; Gaussians at the red spot in heatmaps of a quarter of the size.

    Args:
        mean, std: of the input's channels.
        pixels: pixels of the input in a pixel of the heatmap, in x and y.
        size: height and width of the input.
        transformer: whether the model has a Softmax.
        n_keypoints: of each person.
    """
    height, width = size[0] // 4, size[1] // 4
    lines = [
        "minus_eighth = Constant <value = float {-0.125}> ()",
        "peak = Constant <value = float {0.9}> ()",
        integers("repeats", 1, n_keypoints, 1, 1),
        integers("axes_x", 1, 2),
        integers("axes_y", 1, 3),
    ]
    for name, side, step in (("px", width, pixels[0]), ("py", height, pixels[1])):
        at = ", ".join(f"{i}.0" for i in range(side))
        lines += [
            f"{name}_cells = Constant <value = float[1, {side}] {{{at}}}> ()",
            f"{name}_step = Constant <value = float {{{step!r}}}> ()",
            f"{name}_cell = Div ({name}, {name}_step)",
            f"{name}_difference = Sub ({name}_cells, {name}_cell)",
            f"{name}_square = Mul ({name}_difference, {name}_difference)",
            f"{name}_exponent = Mul ({name}_square, minus_eighth)",
            f"{name}_line = Exp ({name}_exponent)",
            f"{name}_map = Unsqueeze ({name}_line, axes_{name[1]})",
        ]
    lines += [
        "product = Mul (px_map, py_map)",
        "scaled = Mul (product, peak)",
        "attention = Softmax (scaled)" if transformer else "attention = Identity (scaled)",
        "heatmaps = Tile (scaled, repeats)",
    ]
    return spot_graph(
        size, 0, mean, std, f"float[N, {n_keypoints}, {height}, {width}] heatmaps", lines
    )
