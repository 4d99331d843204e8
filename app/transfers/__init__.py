"""Exports and imports of events: one JSON file, one worker, one transaction."""
