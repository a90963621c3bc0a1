"""Encoders of compressed depth, as plain loops from the formats' descriptions."""

import struct

import cv2
import numpy as np

# Of compressed_depth_image_transport: its defaults.
QUANTIZATION, MAX_DEPTH_M = 100.0, 10.0


def png(values):
    """Return a PNG of (H, W) uint16."""
    return cv2.imencode(".png", values)[1].tobytes()


def rvl(values):
    """Return the RVL of (H, W) uint16, a pixel at a time."""
    pixels, groups, index, last = values.ravel().tolist(), [], 0, 0

    def write(number):
        while True:
            number, group = number >> 3, number & 7
            groups.append(group | (8 if number else 0))
            if not number:
                return

    while index < len(pixels):
        start = index
        while index < len(pixels) and pixels[index] == 0:
            index += 1
        write(index - start)
        start = index
        while index < len(pixels) and pixels[index] != 0:
            index += 1
        write(index - start)
        for pixel in pixels[start:index]:
            difference, last = pixel - last, pixel
            write(2 * difference if difference >= 0 else -2 * difference - 1)
    groups += [0] * (-len(groups) % 8)
    words = [
        sum(group << (28 - 4 * i) for i, group in enumerate(groups[start : start + 8]))
        for start in range(0, len(groups), 8)
    ]
    height, width = values.shape
    return struct.pack("<ii", width, height) + struct.pack(f"<{len(words)}I", *words)


def quantized(depth, kind="png"):
    """Return header and content of (H, W) float32 metres, NaN where unknown."""
    a = QUANTIZATION * (QUANTIZATION + 1)
    b = 1 - a / MAX_DEPTH_M
    inverse = np.zeros(depth.shape, np.uint16)
    known = depth < MAX_DEPTH_M
    inverse[known] = (a / depth[known] + b).astype(np.uint16)
    return struct.pack("<iff", 0, a, b) + (rvl if kind == "rvl" else png)(inverse)
