"""What happened, who is told of it, by which channel and why: types, audiences, decisions, telling many."""
