"""Benchmarks: a simulated crowd, real recordings, and the figures they give."""
