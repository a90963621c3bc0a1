"""A recording for the Rerun viewer, https://rerun.io."""

from pathlib import Path
from typing import Any

import numpy as np

from poseflow_ros.cli.writers.tracked_image import TrackedImage
from poseflow_ros.imaging.annotate import track_color
from poseflow_ros.imaging.encoded_image import encode_jpeg
from poseflow_ros.skeletons.skeleton import Skeleton

_TIMELINE = "image time"
_RADIUS_M = 0.03


class RerunWriter:
    """Writes images, skeletons, boxes with track ids, 3D keypoints, and the identities over time.

    Each track is a lane of points at the height of its id, from its first image to its last.
    """

    def __init__(
        self, path: Path, skeleton: Skeleton, min_keypoint_score: float, name: str
    ) -> None:
        """Write to a path.

        Args:
            path: of the file.
            skeleton: of the people.
            min_keypoint_score: in [0, 1]; keypoints below it are not drawn.
            name: what the recording is of.
        """
        import rerun

        self._rerun: Any = rerun
        self._edges = np.array(skeleton.edges)
        self._min_keypoint_score = min_keypoint_score
        self._lanes: set[int] = set()
        self._stream = rerun.RecordingStream("poseflow_ros", recording_id=None)
        self._stream.save(path, default_blueprint=_layout())
        self._stream.log("source", rerun.TextDocument(name), static=True)

    def __enter__(self) -> "RerunWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()
        self._stream.disconnect()

    def __call__(self, result: TrackedImage) -> None:
        """Write one image and its people."""
        rerun, people = self._rerun, result.people
        self._stream.set_time(_TIMELINE, timestamp=1e-9 * result.stamp_ns)
        self._stream.set_time("frame", sequence=result.index)
        jpeg = encode_jpeg(result.image).tobytes()
        self._stream.log("image", rerun.EncodedImage(contents=jpeg, media_type="image/jpeg"))
        ids = people.track_ids.tolist()
        colors = [track_color(track_id) for track_id in ids]
        labels = [str(track_id) for track_id in ids]
        boxes, xyxy = people.poses.boxes, rerun.Box2DFormat.XYXY
        self._stream.log(
            "image/boxes",
            rerun.Boxes2D(array=boxes, array_format=xyxy, colors=colors, labels=labels),
        )
        self._log_skeletons(result, colors)
        self._log_positions(result)
        self._log_lanes(ids)

    def _log_skeletons(self, result: TrackedImage, colors: list[Any]) -> None:
        """Write a line for each edge and a point for each keypoint that was found."""
        rerun, poses = self._rerun, result.people.poses
        found = poses.keypoint_scores >= self._min_keypoint_score
        person, edge = np.nonzero(found[:, self._edges].all(axis=2))
        lines = poses.keypoints[person[:, None], self._edges[edge]]
        who, _ = np.nonzero(found)
        edge_colors, point_colors = [colors[i] for i in person], [colors[i] for i in who]
        self._stream.log("image/skeletons", rerun.LineStrips2D(lines, colors=edge_colors))
        self._stream.log(
            "image/keypoints", rerun.Points2D(poses.keypoints[found], colors=point_colors, radii=2)
        )

    def _log_positions(self, result: TrackedImage) -> None:
        """Write the keypoints that have 3D positions, in metres."""
        if result.located is None:
            return
        points = result.located.points.points
        person, keypoint = np.nonzero(np.isfinite(points).all(axis=2))
        colors = [
            track_color(track_id) for track_id in result.published.track_ids[person].tolist()
        ]
        spheres = self._rerun.Points3D(points[person, keypoint], colors=colors, radii=_RADIUS_M)
        self._stream.log("positions", spheres)

    def _log_lanes(self, ids: list[int]) -> None:
        for track_id in ids:
            path = f"identities/{track_id}"
            if track_id not in self._lanes:
                self._lanes.add(track_id)
                points = self._rerun.SeriesPoints(
                    colors=track_color(track_id), names=str(track_id), marker_sizes=3
                )
                self._stream.log(path, points, static=True)
            self._stream.log(path, self._rerun.Scalars(track_id))


def _layout() -> Any:
    """Return the views: image and 3D positions above, the identities below."""
    from rerun import blueprint

    return blueprint.Blueprint(
        blueprint.Vertical(
            blueprint.Horizontal(
                blueprint.Spatial2DView(origin="image", name="image"),
                blueprint.Spatial3DView(origin="positions", name="positions"),
            ),
            blueprint.TimeSeriesView(origin="identities", name="identities"),
            row_shares=[3, 1],
        )
    )
