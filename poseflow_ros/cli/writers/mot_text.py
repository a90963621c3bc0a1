"""MOTChallenge text."""

from pathlib import Path

from poseflow_ros.cli.writers.tracked_image import TrackedImage


class MotWriter:
    """Writes MOTChallenge text: frame from 1, id, left, top, width, height, score, -1, -1, -1."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")

    def __enter__(self) -> "MotWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, result: TrackedImage) -> None:
        """Write the people of one image."""
        tracked = result.people
        for i in range(len(tracked)):
            x1, y1, x2, y2 = tracked.poses.boxes[i]
            self._file.write(
                f"{result.index + 1},{tracked.track_ids[i]},{x1:.2f},{y1:.2f},{x2 - x1:.2f},"
                f"{y2 - y1:.2f},{tracked.poses.scores[i]:.4f},-1,-1,-1\n"
            )
