"""Figures of the tracker's benchmarks, as a table and as a report."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from poseflow_ros.bench.peer_fit import PeerResult
from poseflow_ros.bench.peers import require_peers
from poseflow_ros.bench.trial import Trial, figures
from poseflow_ros.cli.outputs import write_report

_COLUMNS = ("HOTA", "AssA", "IDF1", "MOTA", "switches", "identities", "true_identities")
_TIMES = ("ms_per_frame", "ms_per_frame_p99")


def finish(
    args: argparse.Namespace,
    report: dict[str, Any],
    trials: Mapping[str, Sequence[Trial]],
    peers: Mapping[str, PeerResult],
) -> None:
    """Print the table and write the report.

    Args:
        args: the command's; `report` is the file to write, or None.
        report: what was measured; the figures are added.
        trials: association -> a trial for each sequence.
        peers: peer -> its result; empty without `--peers`.
    """
    report["associations"] = {name: figures(several) for name, several in trials.items()}
    if peers:
        report["peers"] = {
            name: figures(peer.trials) | {"thresholds": peer.thresholds}
            for name, peer in peers.items()
        }
        report["peer_package"] = require_peers(args.peer_memory)
        report["peer_memory_s"] = args.peer_memory
    print(_table("tracker" if peers else "association",
                 report["associations"] | report.get("peers", {})))  # fmt: skip
    if peers:
        print(_peer_notes(report))
    if "memory_mib" in report:
        print("memory", *(f"{k} {v} MiB" for k, v in report["memory_mib"].items()), sep="  ")
    write_report(args.report, report)


def _table(head: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures of each association and peer in columns, the first called `head`."""
    names = [n for n in (*_COLUMNS, *_TIMES) if n in next(iter(rows.values()))]
    cells = [[head, *names]]
    cells += [[name, *(f"{row[n]:g}" for n in names)] for name, row in rows.items()]
    return aligned(cells)


def _peer_notes(report: Mapping[str, Any]) -> str:
    """Return what the peers got, and their fitted thresholds."""
    lines = [
        f"peers: {report['peer_package']}, memory {report['peer_memory_s']:g} s, "
        "boxes and scores only; thresholds with the best HOTA on this input:"
    ]
    for name, peer in report["peers"].items():
        thresholds = ", ".join(f"{key} {value:g}" for key, value in peer["thresholds"].items())
        lines.append(f"  {name}: {thresholds}")
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows in columns, the first one's words to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(
            zip(row, widths, strict=True)))
        for row in rows
    )  # fmt: skip
