"""The outputs of `track`, one file for each kind."""
