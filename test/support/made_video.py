"""Videos made with FFmpeg in any container and codec, with stamps of one's own."""

import os
import socket
import struct
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np

RATE_HZ = 25
FINE = ("mpeg4", "libx264", "libvpx", "libsvtav1")
"""Codecs whose frames may have any stamps."""


def made_image(index, size=(96, 128)):
    """Return an (H, W, 3) image of noise that moves with the index."""
    noise = np.random.default_rng(0).integers(0, 255, (size[0] // 2, size[1] // 2, 3), np.uint8)
    return np.roll(noise.repeat(2, 0).repeat(2, 1), 3 * index, axis=1)


@contextmanager
def same_scheduling():
    """Restore the scheduling policy of the thread.

    SVT-AV1 gives the encoding thread real-time priority if it may, as for root. Threads and
    processes that it starts later would inherit that and starve all others.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def encode(container, stamps_s, codec="mpeg4", pixels="yuv420p", size=(96, 128), **options):
    """Encode images with these stamps into an open container, with options of the codec."""
    stream = container.add_stream(codec, rate=RATE_HZ, options=options)
    stream.height, stream.width, stream.pix_fmt, stream.gop_size = *size, pixels, 12
    fine = codec in FINE and container.format.name not in ("avi", "asf")
    time_base = Fraction(1, 60_000) if fine else Fraction(1, RATE_HZ)
    stream.codec_context.time_base = time_base
    for index, stamp_s in enumerate(stamps_s):
        frame = av.VideoFrame.from_ndarray(made_image(index, size), format="rgb24")
        frame.time_base, frame.pts = time_base, round(stamp_s / time_base)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def make_video(path, stamps_s, codec="mpeg4", *, container=None, options=None, **encoding):
    """Write a video; return its path."""
    opened = av.open(str(path), "w", format=container, options=options or {})
    with same_scheduling(), opened:
        encode(opened, stamps_s, codec, **encoding)
    return path


class Stream:
    """What a recorder writes to that cannot go back, such as a browser's."""

    def __init__(self, path):
        self.file = path.open("wb")

    def write(self, data):
        return self.file.write(data)


def make_recording(path, stamps_s, codec="libvpx", container="webm"):
    """Write a video without going back: without durations and sizes in its head."""
    stream = Stream(path)
    with av.open(stream, "w", format=container) as opened:
        encode(opened, stamps_s, codec)
    stream.file.close()
    return path


def _chunk(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def make_avi(path, jpegs, size=(96, 128)):
    """Write JPEGs of this (height, width) as a camera does, without an index; return the path."""
    height, width = size
    head = struct.pack("<14I", 40000, 0, 0, 0, len(jpegs), 0, 1, 0, width, height, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack("<IHH8I", 0, 0, 0, 0, 1, RATE_HZ, 0, len(jpegs), 0, 0, 0)
    stream += struct.pack("<4h", 0, 0, width, height)
    pixels = struct.pack("<IiiHH4s5I", 40, width, height, 1, 24, b"MJPG", 0, 0, 0, 0, 0)
    described = b"strl" + _chunk(b"strh", stream) + _chunk(b"strf", pixels)
    heads = _chunk(b"LIST", b"hdrl" + _chunk(b"avih", head) + _chunk(b"LIST", described))
    images = b"".join(_chunk(b"00dc", jpeg) for jpeg in jpegs)
    path.write_bytes(_chunk(b"RIFF", b"AVI " + heads + _chunk(b"LIST", b"movi" + images)))
    return path


def free_port():
    """Return a UDP port that nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return udp.getsockname()[1]
