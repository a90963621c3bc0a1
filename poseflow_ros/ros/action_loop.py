"""The thread that classifies windows of poses."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from std_msgs.msg import Header

from poseflow_ros.actions.windows import Windows
from poseflow_ros.recognition.action_classifier import ActionClassifier, Actions

_LATEST = 100  # calls of the network that the latency is taken over


@dataclass(frozen=True, slots=True, eq=False)
class ActionJob:
    """Windows to classify.

    Attributes:
        header: of the message that completed them.
        windows: of at least one person.
        received_s: when the message was received, by `perf_counter`.
    """

    header: Header
    windows: Windows
    received_s: float


@dataclass(slots=True)
class ActionCounts:
    """Figures of the loop; a window is one of one person."""

    classified: int = 0
    dropped: int = 0
    failed: int = 0
    last_failure: str = ""
    """Why the last call of the network failed; empty after one that did not."""


class ActionLoop:
    """Classifies the newest windows of each camera; newer ones replace those that wait.

    `publish` and `log` are called by the loop's thread, everything else by the executor's.
    """

    def __init__(
        self,
        classifier: ActionClassifier,
        publish: Callable[[ActionJob, Actions], None],
        log: Callable[[str], None],
    ) -> None:
        self._classifier, self._publish, self._log = classifier, publish, log
        self._condition = threading.Condition()
        self._waiting: dict[str, ActionJob] = {}
        self._generation = 0
        self._closed = False
        self._counts = ActionCounts()
        self._latencies_s: deque[float] = deque(maxlen=_LATEST)
        self._thread = threading.Thread(target=self._run, name="actions", daemon=True)
        self._thread.start()

    def put(self, job: ActionJob) -> None:
        """Let windows be classified."""
        with self._condition:
            replaced = self._waiting.pop(job.windows.camera, None)
            self._counts.dropped += len(replaced.windows) if replaced else 0
            self._waiting[job.windows.camera] = job
            self._condition.notify()

    def clear(self) -> None:
        """Drop the windows that wait, and the results of those in progress."""
        with self._condition:
            self._generation += 1
            self._waiting.clear()

    def close(self, wait_s: float) -> None:
        """End the thread, after the call in progress; wait for it for at most this time."""
        self.clear()
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join(wait_s)

    def figures(self) -> tuple[ActionCounts, list[float]]:
        """Return the counts, and the latest times from message to publication, seconds."""
        with self._condition:
            return self._counts, list(self._latencies_s)

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            generation, job = taken
            try:
                actions = self._classifier.classify(job.windows)
            except Exception as error:  # the libraries raise many types
                self._fail(job, f"{type(error).__name__}: {error}")
            else:
                self._finish(generation, job, actions)

    def _take(self) -> tuple[int, ActionJob] | None:
        """Wait for windows; return None once the loop is closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                return None
            return self._generation, self._waiting.pop(next(iter(self._waiting)))

    def _finish(self, generation: int, job: ActionJob, actions: Actions) -> None:
        """Publish, unless the node was deactivated in the meantime."""
        with self._condition:
            if generation != self._generation:
                return
            self._publish(job, actions)
            self._counts.classified += len(job.windows)
            self._counts.last_failure = ""
            self._latencies_s.append(perf_counter() - job.received_s)

    def _fail(self, job: ActionJob, reason: str) -> None:
        with self._condition:
            new = reason != self._counts.last_failure
            self._counts.failed += len(job.windows)
            self._counts.last_failure = reason
        if new:
            self._log(f"the network failed: {reason}")
