"""Behaviors of tracked people that need no network."""

from dataclasses import dataclass

import numpy as np

from poseflow_ros.action_config import BehaviorsConfig
from poseflow_ros.actions.behavior_state import BehaviorState
from poseflow_ros.actions.body import N_KEYPOINTS
from poseflow_ros.actions.frame import PoseFrame
from poseflow_ros.actions.held import BoolArray
from poseflow_ros.actions.kinds import Behavior, Posture
from poseflow_ros.actions.measures import Measures
from poseflow_ros.actions.track_rows import TrackRows
from poseflow_ros.actions.waving import WavingDetector
from poseflow_ros.poses import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class BehaviorFrame:
    """The behaviors of the N people observed in an image.

    Attributes:
        track_ids: (N,).
        active: (N, 9) a column for each Behavior.
        postures: (N,) Posture.
        zones: (N,) Zone.
        distances_m: (N,) horizontal distance from the origin of the 3D frame; NaN where unknown.
        approach_speeds: (N,) metres a second, towards the origin; NaN where unknown.
        pointing_origins: (N, 2, 3) the left and right shoulder, metres; NaN where unknown.
        pointing_directions: (N, 2, 3) unit vectors from there through the wrist; NaN where
            unknown.
    """

    track_ids: IntArray
    active: BoolArray
    postures: IntArray
    zones: IntArray
    distances_m: FloatArray
    approach_speeds: FloatArray
    pointing_origins: FloatArray
    pointing_directions: FloatArray

    def __len__(self) -> int:
        return len(self.track_ids)

    def rows(self) -> dict[int, int]:
        """Return the row of each person by track id."""
        return {track_id: row for row, track_id in enumerate(self.track_ids.tolist())}

    @classmethod
    def empty(cls) -> "BehaviorFrame":
        """Return the behaviors of nobody."""
        nobody = np.zeros(0, np.int64)
        return cls(
            track_ids=nobody,
            active=np.zeros((0, len(Behavior)), bool),
            postures=nobody,
            zones=nobody,
            distances_m=np.zeros(0),
            approach_speeds=np.zeros(0),
            pointing_origins=np.zeros((0, 2, 3)),
            pointing_directions=np.zeros((0, 2, 3)),
        )

    def names(self, index: int) -> list[str]:
        """Return the active behaviors and the posture of a person, as in `left_waving`."""
        names = [kind.name.lower() for kind in Behavior if self.active[index, kind]]
        posture = Posture(self.postures[index])
        return names if posture is Posture.UNKNOWN else [posture.name.lower(), *names]


class BehaviorRecognizer:
    """Recognizes the behaviors of the people of all cameras.

    A person is identified by camera, epoch and track id, as for PoseWindows.
    """

    def __init__(self, config: BehaviorsConfig | None = None) -> None:
        self.config = config or BehaviorsConfig()
        self._cameras: dict[str, _Camera] = {}

    def update(self, frame: PoseFrame) -> BehaviorFrame:
        """Return the behaviors of the people observed in an image.

        The images of a camera must come in the order of their stamps.

        Raises:
            ValueError: people have fewer than the 17 keypoints of COCO.
        """
        if len(frame) and frame.n_keypoints < N_KEYPOINTS:
            raise ValueError(f"people must have 17 keypoints, got {frame.n_keypoints}")
        camera = self._cameras.get(frame.camera)
        if camera is None or not frame.follows(camera.last):
            camera = self._cameras[frame.camera] = _Camera(frame, self.config)
        return camera.update(frame)

    def reset(self) -> None:
        """Forget everybody."""
        self._cameras.clear()


class _Camera:
    """The people of one camera in one epoch."""

    def __init__(self, first: PoseFrame, config: BehaviorsConfig) -> None:
        self.last = first
        self._config = config
        self._rows = TrackRows(config.max_people)
        self._state = BehaviorState(config.max_people)
        self._waving = WavingDetector(first.stamp_s, config)

    def update(self, frame: PoseFrame) -> BehaviorFrame:
        """Return the behaviors of the people observed in an image."""
        self.last = frame
        self._rows.release(frame.track_ids[frame.removed])
        seen = np.flatnonzero(frame.observed)[: self._config.max_people]
        people = frame if len(seen) == len(frame) else frame[seen]
        if not len(people):
            return BehaviorFrame.empty()
        rows, new = self._rows.assign(people.track_ids)
        self._state.begin(rows, new, frame.stamp_s, self._config)
        measures = Measures.of(people, self._config)
        swings = self._waving.update(rows, new, people, measures.image_scales)
        shown = measures.margins(swings, self._config)
        active = self._state.update_flags(rows, frame.stamp_s, shown, self._config)
        postures = self._state.update_postures(rows, frame.stamp_s, measures.body, self._config)
        fallen = self._state.update_falls(rows, frame.stamp_s, postures, self._config)
        return BehaviorFrame(
            track_ids=people.track_ids,
            active=np.concatenate([active, fallen[:, None]], axis=1),
            postures=postures,
            zones=self._state.update_zones(rows, measures.distances_m, self._config),
            distances_m=measures.distances_m,
            approach_speeds=measures.approach_speeds,
            pointing_origins=measures.pointing_origins,
            pointing_directions=measures.pointing_directions,
        )
