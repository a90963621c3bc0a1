"""Output of a tracker, delayed by `flow_window_s` to improve it."""

from typing import Generic, TypeVar

from poseflow_ros.poses import TrackedPoses
from poseflow_ros.tracking.flow_window import FlowWindow
from poseflow_ros.tracking.tracker import PoseFlowTracker

Payload = TypeVar("Payload")


class DelayedOutput(Generic[Payload]):
    """Delays the frames of one tracker together with a payload of the caller.

    Without a delay every frame is returned immediately and unchanged.
    """

    def __init__(self, tracker: PoseFlowTracker) -> None:
        self._tracker = tracker
        self._window: FlowWindow[Payload] | None = None
        if tracker.delay_s > 0:
            self._window = FlowWindow(tracker.delay_s, tracker.skeleton)

    def __len__(self) -> int:
        return 0 if self._window is None else len(self._window)

    def push(self, tracked: TrackedPoses, payload: Payload) -> list[tuple[TrackedPoses, Payload]]:
        """Add the last frame of the tracker; return the frames that are ready.

        Args:
            tracked: the result of the tracker's last `update`.
            payload: returned with the frame.

        Returns:
            Frames and their payloads, oldest first, improved by `FlowWindow` if delayed.
        """
        if self._window is None:
            return [(tracked, payload)]
        tracker = self._tracker
        return self._window.push(
            tracked, tracker.unassigned, tracker.merged_ids, tracker.stamp_s, payload
        )

    def flush(self) -> list[tuple[TrackedPoses, Payload]]:
        """Return all delayed frames, oldest first."""
        return [] if self._window is None else self._window.flush()

    def reset(self) -> None:
        """Discard all delayed frames."""
        if self._window is not None:
            self._window.reset()
