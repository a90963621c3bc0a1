"""What became of one input of a batch."""

from dataclasses import dataclass

DONE = "done"
INCOMPLETE = "incomplete"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """One input to be processed.

    Attributes:
        input: its absolute path.
        name: stem of its outputs; unique in the output folder.
    """

    input: str
    name: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one job.

    Attributes:
        job: the job.
        status: DONE, INCOMPLETE (the input is damaged; outputs up to the defect) or FAILED.
        message: one line that says what was wrong; empty if DONE.
        frames: number of processed images.
        people: number of track ids.
        recorded_s: length of the input, seconds.
        work_s: wall time of the processing, seconds.
    """

    job: Job
    status: str
    message: str = ""
    frames: int = 0
    people: int = 0
    recorded_s: float = 0.0
    work_s: float = 0.0
