"""From a committed row to the world: hand-over, claim, send, outcome, sweep."""
