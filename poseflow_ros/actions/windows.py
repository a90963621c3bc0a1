"""Windows of poses: the input of action recognition."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.action_config import WindowsConfig
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.history import PoseHistory
from poseflow_ros.actions.track_rows import TrackRows
from poseflow_ros.poses import IntArray

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The last T samples of N people of one camera, at a fixed rate and the same times.

    Attributes:
        camera, epoch: with `track_ids` they identify a person.
        image_size: (height, width) of the image, pixels.
        start_s, end_s: times of the first and the last sample, seconds.
        track_ids: (N,).
        keypoints: (N, T, K, 2) pixels (x, y); NaN in samples that are not observed.
        scores: (N, T, K) in [0, 1]; 0 in samples that are not observed.
        points: (N, T, K, 3) metres, NaN where unknown; (N, T, K, 0) where they
            are not collected.
        observed: (N, T) false in gaps longer than `windows.max_gap_s`.
    """

    camera: str
    epoch: int
    image_size: tuple[int, int]
    start_s: float
    end_s: float
    track_ids: IntArray
    keypoints: Float32Array
    scores: Float32Array
    points: Float32Array
    observed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.track_ids)

    @property
    def n_frames(self) -> int:
        """T."""
        return self.observed.shape[1]

    def filled(self) -> "Windows":
        """Return the windows with the nearest observed pose in each gap, the earlier of two.

        `observed` still tells where the gaps are.
        """
        people = np.arange(len(self))[:, None]
        nearest = _nearest(self.observed)
        return replace(
            self,
            keypoints=self.keypoints[people, nearest],
            scores=self.scores[people, nearest],
            points=self.points[people, nearest],
        )


class PoseWindows:
    """Collects the poses of each person and returns windows of them.

    A person is identified by camera, epoch and track id. A new epoch, a new image size, and a
    stamp that goes back discard the poses of the camera; the end of a track discards its own.

    Windows end at fixed times, one stride apart. A person's window is returned with the first
    observation of the person at or after its end, and only the newest where several are due.
    """

    def __init__(self, config: WindowsConfig | None = None, *, with_points: bool = False) -> None:
        """Make an empty collection.

        Args:
            config: the windows; None for the defaults.
            with_points: whether the 3D keypoints are collected too.
        """
        self._config = config or WindowsConfig()
        self._with_points = with_points
        self._cameras: dict[str, _Camera] = {}

    def update(self, frame: PoseFrame) -> Windows:
        """Add the people of an image; return the windows that are complete, of N people or none.

        The images of a camera must come in the order of their stamps.
        """
        camera = self._cameras.get(frame.camera)
        if camera is None or not frame.follows(camera.last):
            camera = self._cameras[frame.camera] = _Camera(frame, self._config, self._with_points)
        return camera.update(frame)

    def reset(self) -> None:
        """Discard the poses of all cameras."""
        self._cameras.clear()


class _Camera:
    """The people of one camera in one epoch."""

    def __init__(self, first: PoseFrame, config: WindowsConfig, with_points: bool) -> None:
        self.last = first
        self._with_points = with_points
        self._config = config
        self._rows = TrackRows(config.max_people)
        self._history = PoseHistory(
            first.stamp_s,
            rate_hz=config.rate_hz,
            length=config.n_frames + config.stride - 1,
            max_gap_s=config.max_gap_s,
            n_rows=config.max_people,
            n_channels=6 if with_points else 3,
        )

    def update(self, frame: PoseFrame) -> Windows:
        """Return the windows that are complete."""
        self.last = frame
        self._rows.release(frame.track_ids[frame.removed])
        end = self._end(self._history.advance(frame.stamp_s))
        track_ids, rows = self._add(frame, end)
        samples, observed = self._history.samples(rows, end, self._config.n_frames)
        enough = observed.mean(axis=1) >= self._config.min_observed
        if not enough.all():  # a copy of all samples otherwise
            samples, observed, track_ids = samples[enough], observed[enough], track_ids[enough]
        return Windows(
            camera=frame.camera,
            epoch=frame.epoch,
            image_size=frame.image_size,
            start_s=self._history.time_of(end - self._config.n_frames + 1),
            end_s=self._history.time_of(end),
            track_ids=track_ids,
            keypoints=samples[..., :2],
            scores=samples[..., 2],
            points=samples[..., 3:],
            observed=observed,
        )

    def _add(self, frame: PoseFrame, end: int) -> tuple[IntArray, IntArray]:
        """Add the people observed; return ids and rows of those whose window at `end` is due."""
        seen = np.flatnonzero(frame.observed)[: self._config.max_people]
        track_ids = frame.track_ids[seen]
        if not len(seen):
            return track_ids, seen
        parts = [frame.keypoints, frame.scores[..., None]]
        if self._with_points:
            parts.append(frame.points)
        rows, new = self._rows.assign(track_ids)
        due = self._history.add(rows, new, np.concatenate(parts, axis=2)[seen]) < end
        return track_ids[due], rows[due]

    def _end(self, newest: int) -> int:
        """Return the index of the last sample of the newest window that is complete."""
        return newest - (newest + 1 - self._config.n_frames) % self._config.stride


def _nearest(observed: NDArray[np.bool_]) -> IntArray:
    """Return (N, T) the index of the nearest observed sample, the earlier of two equally near.

    Args:
        observed: (N, T), at least one sample of each person.
    """
    n_frames = observed.shape[1]
    index = np.arange(n_frames)
    before = np.maximum.accumulate(np.where(observed, index, -n_frames), axis=1)
    after = np.where(observed, index, 2 * n_frames)[:, ::-1]
    after = np.minimum.accumulate(after, axis=1)[:, ::-1]
    return np.where(index - before <= after - index, before, after)
