"""Processes the inputs of a batch as `track` does, with one network for all of them."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from poseflow_ros.batch.outcome import DONE, FAILED, INCOMPLETE, Job, Outcome
from poseflow_ros.cli.errors import IncompleteError
from poseflow_ros.cli.track import Report, open_input, track_source
from poseflow_ros.config import Config
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.imaging.bag_files import is_bag

OUTPUTS = {"json": ".json", "mot": ".txt", "video": ".mp4", "report": ".report.json"}
"""The outputs of `track` that a batch can write, and what their names end with."""


@dataclass(frozen=True, slots=True)
class MakeVideoRunner:
    """Makes the runner of a worker.

    Attributes:
        args: of `track`, but for the input and the outputs.
        config: of the pipeline.
        folder: of the outputs.
        outputs: keys of OUTPUTS.
    """

    args: Namespace
    config: Config
    folder: Path
    outputs: tuple[str, ...]

    def __call__(self) -> "VideoRunner":
        """Load the network.

        Raises:
            EstimatorError: it cannot be loaded.
        """
        return VideoRunner(self)


class VideoRunner:
    """Tracks the people in one input after the other."""

    def __init__(self, settings: MakeVideoRunner) -> None:
        self._settings = settings
        self._estimator = make_estimator(settings.config, lambda _: None)

    def run(self, job: Job) -> Outcome:
        """Process one input and write its outputs."""
        report, start = Report(), perf_counter()
        status, message = DONE, ""
        try:
            args = self._arguments(job)
            source = open_input(args, self._settings.config)
            track_source(args, self._settings.config, source, self._estimator, report)
        except IncompleteError as error:
            status, message = INCOMPLETE, str(error)
        except (OSError, RuntimeError, ValueError) as error:
            status, message = FAILED, str(error)
        return Outcome(
            job,
            status,
            " ".join(message.split()),
            frames=report.frames,
            people=len(report.track_ids),
            recorded_s=round(report.duration_s, 3),
            work_s=round(perf_counter() - start, 3),
        )

    def _arguments(self, job: Job) -> Namespace:
        settings = self._settings
        paths = {
            name: settings.folder / (job.name + ending) if name in settings.outputs else None
            for name, ending in OUTPUTS.items()
        }
        topic = settings.args.topic if is_bag(Path(job.input)) else ""
        return Namespace(**vars(settings.args) | {"input": job.input, "topic": topic} | paths)
