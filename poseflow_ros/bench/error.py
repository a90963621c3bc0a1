"""What a benchmark refuses."""

from poseflow_ros.cli.errors import CommandError


class BenchError(CommandError):
    """Input that cannot be measured; the text names it and says what is allowed."""
