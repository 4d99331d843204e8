"""Telling a happening: to a few at once, to many in parts, and taking it back."""
