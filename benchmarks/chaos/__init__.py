"""Chaos: `make chaos`, or `python -m benchmarks.chaos`: what dies while mail is sent, and what is left after it."""
