"""Write one image of a video as a JPEG, for the documentation."""

import argparse
import sys
from itertools import islice
from pathlib import Path

import cv2

from poseflow_ros.imaging.video import VideoError, open_source

_QUALITY = 80
"""Skeletons and labels are sharp, and 768 x 576 pixels take about 100 kB."""


def main() -> int:
    """Write the image; return 0, or 2 with a line on what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", help="video, as for `track`")
    parser.add_argument("number", type=int, help="of the image, from 0")
    parser.add_argument("out", type=Path, metavar="OUT.jpg")
    args = parser.parse_args()
    try:
        images = islice(open_source(args.video), max(0, args.number), None)
        image, _ = next(images, (None, None))
    except (VideoError, OSError) as error:
        print(f"video_frame: {error}", file=sys.stderr)
        return 2
    if image is None or args.number < 0:
        print(f"video_frame: {args.video} has no image {args.number}", file=sys.stderr)
        return 2
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(args.out), bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]):
        print(f"video_frame: {args.out} cannot be written", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
