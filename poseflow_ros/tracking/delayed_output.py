"""A tracker's output, delayed by `flow_window_s` to improve it."""

from typing import Generic, TypeVar

from poseflow_ros.poses import TrackedPoses
from poseflow_ros.tracking.flow_window import FlowWindow
from poseflow_ros.tracking.tracker import PoseFlowTracker

Payload = TypeVar("Payload")


class DelayedOutput(Generic[Payload]):
    """Delays the frames of one tracker, each with whatever the caller gives with it.

    Without a delay every frame is returned at once, as the tracker made it.
    """

    def __init__(self, tracker: PoseFlowTracker) -> None:
        self._tracker = tracker
        self._window: FlowWindow[Payload] | None = None
        if tracker.delay_s > 0:
            self._window = FlowWindow(tracker.delay_s, tracker.skeleton)

    def __len__(self) -> int:
        return 0 if self._window is None else len(self._window)

    def push(self, tracked: TrackedPoses, payload: Payload) -> list[tuple[TrackedPoses, Payload]]:
        """Add the frame that the tracker has just returned; return those that are ready.

        Args:
            tracked: what the tracker's last `update` returned.
            payload: returned with the frame.

        Returns:
            Frames and their payloads, oldest first; with a delay as `FlowWindow` improves them.
        """
        if self._window is None:
            return [(tracked, payload)]
        tracker = self._tracker
        return self._window.push(
            tracked, tracker.unassigned, tracker.merged_ids, tracker.stamp_s, payload
        )

    def flush(self) -> list[tuple[TrackedPoses, Payload]]:
        """Return the frames still delayed, oldest first."""
        return [] if self._window is None else self._window.flush()

    def reset(self) -> None:
        """Discard the frames still delayed."""
        if self._window is not None:
            self._window.reset()
