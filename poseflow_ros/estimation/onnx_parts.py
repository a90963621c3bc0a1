"""The three files of an exported Keypoint R-CNN, and the names of their inputs and outputs."""

from pathlib import Path

TASK = "keypoint_rcnn"
"""The metadata's entry `task` of all files."""
EXPORT = "export"
"""The metadata's entry that is the same in the files of one export."""

IMAGES, MIN_SCORE = "images", "min_score"
LEVEL, OBJECTNESS, DELTAS = "level", "objectness", "deltas"
"""Of the outputs of the dense part, each followed by its number."""
CANVAS, PEOPLE, SCORES, SETTLED = PEOPLE_OUTPUTS = ("canvas", "people", "scores", "settled")
POSE_OUTPUTS = ("boxes", "keypoints", "keypoint_scores")


def parts(path: Path) -> tuple[Path, Path, Path]:
    """Return the files of dense part, people and keypoints.

    Args:
        path: FILE.onnx, the first; the others are FILE.people.onnx and FILE.keypoints.onnx.
    """
    people, keypoints = (path.with_suffix(f".{name}.onnx") for name in ("people", "keypoints"))
    return path, people, keypoints
