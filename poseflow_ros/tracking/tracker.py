"""Assigns identities to the poses of consecutive frames."""

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
    """Tracks people by the association that the configuration names.

    Attributes:
        skeleton: of the poses.
        delay_s: by how much `DelayedOutput` delays the output; 0 with `classic`, always.
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
            appearance: the constants of the model that makes the appearances.
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
        """The stamp that counted for the last frame, seconds; 0 before the first."""
        return self._stamp_s or 0.0

    @property
    def unassigned(self) -> Poses:
        """The detections of the last frame that belong to no track."""
        return self._association.unassigned

    @property
    def merged_ids(self) -> dict[int, int]:
        """Ids that turned out in the last frame to be another's, and that other id."""
        return self._association.merged_ids

    def configure(self, config: TrackerConfig, classic: ClassicConfig) -> None:
        """Use other thresholds and memory from the next frame on; all tracks are kept.

        The association and `delay_s` stay what they were.
        """
        self._config = config
        if isinstance(self._association, ClassicAssociation):
            self._association.config = classic
        else:
            self._association.config = config

    def reset(self) -> None:
        """Forget all tracks. The next ones get ids that were never used before."""
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
            poses: the detections in it; those that are not finite or whose confidence is below
                `min_pose_score` are ignored.
            cues: what the image says about them; None without an image.
            stamp_s: seconds; one before the last frame's, or not finite, counts as the last
                frame's.
            unscanned_ids: tracks that were not looked for: without a detection they keep their
                state, and the time does not count as lost.

        Returns:
            The observed tracks in the order of `poses`, then the lost, then those removed now.

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
    """Return the stamp unless it is before the last, which counts then; 0 without either."""
    if last_s is None:
        return stamp_s if math.isfinite(stamp_s) else 0.0
    return max(last_s, stamp_s) if math.isfinite(stamp_s) else last_s


def _usable(poses: Poses) -> NDArray[np.bool_]:
    """Return (N,), true where every number is finite and the box has an area."""
    usable = np.isfinite(poses.scores) & np.isfinite(poses.keypoint_scores).all(axis=1)
    usable &= np.isfinite(poses.keypoints).all(axis=(1, 2)) & np.isfinite(poses.boxes).all(axis=1)
    usable &= (poses.boxes[:, 2:] > poses.boxes[:, :2]).all(axis=1)
    return usable
