"""Telling at once: what a commit has changed goes through Redis to the gateway, and from there to open connections."""
