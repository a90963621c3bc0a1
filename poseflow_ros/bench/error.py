"""What a benchmark refuses."""


class BenchError(ValueError):
    """Input that cannot be measured; the text names it and says what is allowed."""
