"""Tracked people in the formats of other packages, one file for each format."""
