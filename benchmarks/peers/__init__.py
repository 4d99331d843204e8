"""Benchmarks of delivery against django-post-office, and of the way from commit to hand-over."""
