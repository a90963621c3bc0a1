"""The tracker: assigns track ids to the poses of consecutive frames."""

import itertools
import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import ClassicConfig, TrackerConfig
from poseflow_ros.poses import IntArray, Poses, TrackedPoses
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.tracking.appearance_likelihood import NOT_COMPARED, AppearanceLikelihood
from poseflow_ros.tracking.classic import ClassicAssociation
from poseflow_ros.tracking.confidence import confidences
from poseflow_ros.tracking.cues import Cues
from poseflow_ros.tracking.predictions import NO_IDS, Predictions
from poseflow_ros.tracking.robust import RobustAssociation


class PoseFlowTracker:
    """Tracks people with the configured association.

    Attributes:
        skeleton: of the poses.
        delay_s: delay of the output by `DelayedOutput`; always 0 with `classic`.
    """

    def __init__(
        self,
        config: TrackerConfig,
        skeleton: Skeleton,
        classic: ClassicConfig | None = None,
        appearance: AppearanceLikelihood = NOT_COMPARED,
    ) -> None:
        """Create a tracker of one camera's images.

        Args:
            config: thresholds, memory and the association.
            skeleton: of the poses.
            classic: parameters of the association `classic`; None: the defaults.
            appearance: the constants of the appearance model.
        """
        self.skeleton = skeleton
        self._config = config
        # The counter outlives reset(): an id is never reused.
        ids = itertools.count(1)
        self._association: RobustAssociation | ClassicAssociation
        if config.association == "robust":
            self._association = RobustAssociation(config, skeleton, appearance, ids)
        else:
            self._association = ClassicAssociation(classic or ClassicConfig(), skeleton, ids)
        self.delay_s = config.flow_window_s if config.association == "robust" else 0.0
        self._stamp_s: float | None = None

    @property
    def stamp_s(self) -> float:
        """The stamp used for the last frame, seconds; 0 before the first."""
        return self._stamp_s or 0.0

    @property
    def unassigned(self) -> Poses:
        """The detections of the last frame that belong to no track."""
        return self._association.unassigned

    @property
    def merged_ids(self) -> dict[int, int]:
        """Id of each track merged in the last frame -> id of the remaining track."""
        return self._association.merged_ids

    def configure(self, config: TrackerConfig, classic: ClassicConfig) -> None:
        """Change thresholds and `max_lost_s` from the next frame on; all tracks are kept.

        The association and `delay_s` do not change.
        """
        self._config = config
        if isinstance(self._association, ClassicAssociation):
            self._association.config = classic
        else:
            self._association.config = config

    def reset(self) -> None:
        """Remove all tracks. Ids are not reused."""
        self._association.reset()
        self._stamp_s = None

    def predict(self, stamp_s: float) -> Predictions:
        """Return where the people observed within the last second are expected at `stamp_s`."""
        return self._association.predict(stamp_s)

    def update(
        self,
        poses: Poses,
        cues: Cues | None,
        stamp_s: float,
        unscanned_ids: IntArray = NO_IDS,
    ) -> TrackedPoses:
        """Return the tracks after one frame.

        Args:
            poses: the detections of the frame; those that are not finite or whose confidence is
                below `min_pose_score` are ignored.
            cues: of the image; None without an image.
            stamp_s: seconds; if it is not finite or before the last stamp, the last stamp is
                used.
            unscanned_ids: tracks that were not looked for. Without a detection they keep their
                state, and the time does not count as lost.

        Returns:
            Observed tracks in the order of `poses`, then lost ones, then those removed now.

        Raises:
            ValueError: the poses do not have the skeleton's keypoints.
        """
        n, name = poses.keypoints.shape[1], self.skeleton.name
        if n != self.skeleton.n_keypoints:
            wanted = self.skeleton.n_keypoints
            raise ValueError(f"poses have {n} keypoints, must have the {wanted} of {name}")
        cues = cues or Cues.none(len(poses))
        usable = _usable(poses)
        usable &= confidences(poses, self.skeleton) >= self._config.min_pose_score
        self._stamp_s = _monotonic(self._stamp_s, stamp_s)
        if not usable.all():
            poses, cues = poses[usable], replace(cues, appearances=cues.appearances[usable])
        return self._association.update(poses, cues, self._stamp_s, unscanned_ids)


def _monotonic(last_s: float | None, stamp_s: float) -> float:
    """Return the stamp, or the last one if it is invalid or earlier; 0 if there is none."""
    if last_s is None:
        return stamp_s if math.isfinite(stamp_s) else 0.0
    return max(last_s, stamp_s) if math.isfinite(stamp_s) else last_s


def _usable(poses: Poses) -> NDArray[np.bool_]:
    """Return (N,), true where every number is finite and the box has an area."""
    usable = np.isfinite(poses.scores) & np.isfinite(poses.keypoint_scores).all(axis=1)
    usable &= np.isfinite(poses.keypoints).all(axis=(1, 2)) & np.isfinite(poses.boxes).all(axis=1)
    usable &= (poses.boxes[:, 2:] > poses.boxes[:, :2]).all(axis=1)
    return usable
