"""Benchmarks: `make bench`, or `python -m benchmarks NAME…`; see docs/benchmarks.md."""
