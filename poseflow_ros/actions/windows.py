"""Windows of poses: the input of action recognition."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.history import PoseHistory
from poseflow_ros.config import WindowsConfig
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
        points: (N, T, K, 3) metres, NaN where unknown; (N, T, K, 0) without
            `windows.keypoints_3d`.
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

    def __init__(self, config: WindowsConfig | None = None) -> None:
        self._config = config or WindowsConfig()
        self._histories: dict[str, PoseHistory] = {}

    def update(self, frame: PoseFrame) -> Windows:
        """Add the people of an image; return the windows that are complete, of N people or none.

        The images of a camera must come in the order of their stamps.
        """
        history = self._history_of(frame)
        rows, seen, previous = history.add(frame)
        end = self._end(history.newest)
        due = previous < end
        samples, observed = history.samples(rows[due], end, self._config.n_frames)
        enough = observed.mean(axis=1) >= self._config.min_observed
        samples, observed = samples[enough], observed[enough]
        return Windows(
            camera=frame.camera,
            epoch=frame.epoch,
            image_size=frame.image_size,
            start_s=history.time_of(end - self._config.n_frames + 1),
            end_s=history.time_of(end),
            track_ids=frame.track_ids[seen[due]][enough],
            keypoints=samples[..., :2],
            scores=samples[..., 2],
            points=samples[..., 3:],
            observed=observed,
        )

    def reset(self) -> None:
        """Discard the poses of all cameras."""
        self._histories.clear()

    def _history_of(self, frame: PoseFrame) -> PoseHistory:
        """Return the history that a frame continues, or a new one."""
        history = self._histories.get(frame.camera)
        if history is None or not history.continues(frame):
            config = self._config
            history = PoseHistory(
                frame,
                rate_hz=config.rate_hz,
                length=config.n_frames + config.stride - 1,
                max_gap_s=config.max_gap_s,
                max_people=config.max_people,
                with_points=config.keypoints_3d,
            )
            self._histories[frame.camera] = history
        return history

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
