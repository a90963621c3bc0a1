"""Point the CMake files of the ROS 2 wheels at this Python instead of their build machine's."""

import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

BUILD_PYTHON = r"/opt/python/cp\d+-cp\d+"
REPLACEMENTS = (
    (BUILD_PYTHON + r"/lib/python3\.\d+/site-packages/numpy/_core/include", np.get_include()),
    (BUILD_PYTHON + r"/include/python3\.\d+", sysconfig.get_path("include")),
)


def main() -> None:
    """Rewrite every CMake file of the running virtual environment that names the build machine."""
    for path in Path(sys.prefix, "share").rglob("*.cmake"):
        text = patched = path.read_text()
        for pattern, replacement in REPLACEMENTS:
            patched = re.sub(pattern, replacement, patched)
        if patched != text:
            path.write_text(patched)


if __name__ == "__main__":
    main()
