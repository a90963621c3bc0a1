"""Errors of commands; each is one line on stderr and an exit code."""


class CommandError(ValueError):
    """Input that a command cannot use; the text names it and says what is allowed. Exit code 2."""


class IncompleteError(CommandError):
    """Results of only a part of the input; the text says why and where they are. Exit code 3."""
