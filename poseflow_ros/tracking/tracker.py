"""Poses of one frame after another become people with an identity."""

import itertools
import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import TrackerConfig
from poseflow_ros.poses import Poses, TrackedPoses
from poseflow_ros.tracking.appearance_likelihood import NOT_COMPARED, AppearanceLikelihood
from poseflow_ros.tracking.classic import ClassicAssociation
from poseflow_ros.tracking.cues import Cues
from poseflow_ros.tracking.flow_window import FlowWindow
from poseflow_ros.tracking.robust import RobustAssociation


class PoseFlowTracker:
    """Tells people apart over time, by the association that the configuration names."""

    def __init__(
        self, config: TrackerConfig, appearance: AppearanceLikelihood = NOT_COMPARED
    ) -> None:
        """Make a tracker of one camera's images.

        Args:
            config: thresholds, memory and the association.
            appearance: the constants of the model that makes the appearances.
        """
        self._config = config
        # The counter outlives reset(): an id is never reused.
        ids = itertools.count(1)
        self._association: RobustAssociation | ClassicAssociation = (
            RobustAssociation(config, appearance, ids)
            if config.association == "robust"
            else ClassicAssociation(config, ids)
        )
        self._window: FlowWindow | None = None
        if config.association == "robust" and config.flow_window_s > 0:
            self._window = FlowWindow(config.flow_window_s)
        self._stamp_s: float | None = None

    def configure(self, config: TrackerConfig) -> None:
        """Take other thresholds and memory from the next frame on; who is known stays known.

        The association and `flow_window_s` stay what they were.
        """
        self._config = self._association.config = config

    def reset(self) -> None:
        """Forget everybody. The people seen next get ids that nobody had before."""
        self._association.reset()
        if self._window is not None:
            self._window.reset()
        self._stamp_s = None

    def update(
        self,
        poses: Poses,
        cues: Cues | None,
        stamp_s: float,
    ) -> TrackedPoses:
        """Return who is who in one frame.

        Args:
            poses: the people found in it; those that are not finite or whose confidence is below
                `min_pose_score` are passed over.
            cues: what the image says about them; None without an image.
            stamp_s: seconds; one before the last frame's, or not finite, counts as the last
                frame's.

        Returns:
            The people seen in the order of `poses`, then the lost, then those removed now.
        """
        cues = cues or Cues.none(len(poses))
        usable = _usable(poses)
        usable &= poses.confidences >= self._config.min_pose_score
        self._stamp_s = _never_back(self._stamp_s, stamp_s)
        if not usable.all():
            poses, cues = poses[usable], replace(cues, appearances=cues.appearances[usable])
        return self._association.update(poses, cues, self._stamp_s)

    def hold_back(self, tracked: TrackedPoses) -> list[TrackedPoses]:
        """Return the frames that are ready to be told, oldest first, after `update` gave this one.

        Without `flow_window_s` that is this one. With it, those that are so many seconds old, as
        `FlowWindow` tells them.
        """
        if self._window is None or self._stamp_s is None:
            return [tracked]
        assert isinstance(self._association, RobustAssociation)
        unassigned, merged_ids = self._association.unassigned, self._association.merged_ids
        return self._window.push(tracked, unassigned, merged_ids, self._stamp_s)

    def flush(self) -> list[TrackedPoses]:
        """Return the frames still held back, oldest first."""
        return [] if self._window is None else self._window.flush()


def _never_back(last_s: float | None, stamp_s: float) -> float:
    """Return the stamp if time went on to it, else the last; 0 where there is neither."""
    if last_s is None:
        return stamp_s if math.isfinite(stamp_s) else 0.0
    return max(last_s, stamp_s) if math.isfinite(stamp_s) else last_s


def _usable(poses: Poses) -> NDArray[np.bool_]:
    """Return (N,), true where every number is finite and the box has an area."""
    usable = np.isfinite(poses.scores) & np.isfinite(poses.keypoint_scores).all(axis=1)
    usable &= np.isfinite(poses.keypoints).all(axis=(1, 2)) & np.isfinite(poses.boxes).all(axis=1)
    usable &= (poses.boxes[:, 2:] > poses.boxes[:, :2]).all(axis=1)
    return usable
