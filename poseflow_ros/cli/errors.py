"""Errors of commands."""


class CommandError(ValueError):
    """Invalid input of a command; the message gives the value and what is allowed."""
