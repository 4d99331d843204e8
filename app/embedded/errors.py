"""Errors of the embedded stack, each worded for the person at the terminal."""

from __future__ import annotations


class StackError(Exception):
    """The stack cannot start or go on; the text says what is wrong, where, and what to do. Holds no secret."""


class StoppedBySignal(Exception):  # noqa: N818 - not an error: somebody asked the stack to end
    """SIGINT, SIGTERM or SIGHUP came while the stack was starting or waiting for something."""


class PartEnded(StackError):  # noqa: N818 - named for what happened, as StoppedBySignal is
    """A process of the stack ended though nobody asked it to.

    Attributes:
        name: the part that ended.
    """

    def __init__(self, name: str, outcome: str, tail: str) -> None:
        super().__init__(f"{name} {outcome}. The end of its log:\n{tail}")
        self.name = name
