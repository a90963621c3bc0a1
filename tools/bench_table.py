"""Print the reports of `bench estimator` as one table, a row each.

python tools/bench_table.py REPORT.json ...
"""

import json
import sys
from pathlib import Path
from typing import Any

COLUMNS = {
    "p50 ms": "p50_ms",
    "p99 ms": "p99_ms",
    "images/s": "images_per_second",
    "MiB": "peak_memory_mib",
    "GPU busy ms": "gpu_busy_ms",
    "launches": "launches",
    "synchronizations": "synchronizations",
    "library p50 ms": "plain_p50_ms",
    "library MiB": "plain_peak_memory_mib",
    "no TF32 p50 ms": "ieee_p50_ms",
    "decode ms": "decode_p50_ms",
    "library decode ms": "plain_decode_p50_ms",
}


def row(path: Path) -> list[str]:
    """Return the cells of a report: its name and its figures, - for those that it has not."""
    report: dict[str, Any] = json.loads(path.read_text())
    figures = [report.get(key) for key in COLUMNS.values()]
    times = "-"
    if report.get("plain_p50_ms"):
        times = f"{report['plain_p50_ms'] / report['p50_ms']:.2f}"
    return [path.stem, *("-" if x is None else f"{x:g}" for x in figures), times]


def main(paths: list[str]) -> int:
    """Print the table; return 1 without a report."""
    rows = [["report", *COLUMNS, "times the library's rate"]]
    rows += [row(Path(path)) for path in paths if Path(path).is_file()]
    for cells in rows:
        print("| " + " | ".join(cells) + " |")
    return 0 if len(rows) > 1 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
