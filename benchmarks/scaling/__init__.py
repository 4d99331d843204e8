"""Usher past one machine, each step played on this one: `python -m benchmarks.scaling [NAME…]`; see docs/scaling.md."""
