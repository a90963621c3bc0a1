"""What a command refuses."""


class CommandError(ValueError):
    """Input that a command cannot use; the text names it and says what is allowed."""
