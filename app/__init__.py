"""Usher: tells the people of an event platform what happened, when the change that caused it is committed."""
