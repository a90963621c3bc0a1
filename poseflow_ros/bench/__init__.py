"""Benchmarks on a simulated crowd, on recordings and on the running node."""
