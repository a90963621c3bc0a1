"""Processes the inputs of a batch as `track` does, with one network for all of them."""

from argparse import Namespace
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from poseflow_ros.batch.outcome import DONE, FAILED, INCOMPLETE, Job, Outcome
from poseflow_ros.batch.remote_file import local_copy
from poseflow_ros.cli.bag_options import OPTIONS
from poseflow_ros.cli.errors import IncompleteError
from poseflow_ros.cli.track import Report, open_input, track_source
from poseflow_ros.config import Config
from poseflow_ros.estimation.factory import make_estimator
from poseflow_ros.imaging.bag_files import is_bag

OUTPUTS = {
    "json": ".json",
    "table": ".parquet",
    "bag": ".mcap",
    "mot": ".txt",
    "posetrack": ".posetrack.json",
    "coco": ".coco.json",
    "rrd": ".rrd",
    "video": ".mp4",
    "report": ".report.json",
}
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

    def arguments(self, job: Job) -> Namespace:
        """Return the arguments of `track` for a job."""
        paths = {
            name: self.folder / (job.name + ending) if name in self.outputs else None
            for name, ending in OUTPUTS.items()
        }
        topics = {} if is_bag(Path(job.input)) else dict.fromkeys(OPTIONS, "")
        return Namespace(**vars(self.args) | {"input": job.input} | topics | paths)

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
        status, message, path = DONE, "", job.input
        try:
            with local_copy(job.input) as path:
                args = self._settings.arguments(replace(job, input=path))
                source = open_input(args, self._settings.config)
                track_source(args, self._settings.config, source, self._estimator, report)
        except IncompleteError as error:
            status, message = INCOMPLETE, str(error)
        except (OSError, RuntimeError, ValueError) as error:
            status, message = FAILED, str(error)
        return Outcome(
            job,
            status,
            " ".join(message.split()).replace(path, job.input),
            frames=report.frames,
            people=len(report.track_ids),
            recorded_s=round(report.duration_s, 3),
            work_s=round(perf_counter() - start, 3),
        )
