"""What ends the demo: a step or a check that did not come out as it must."""

from __future__ import annotations


class DemoFailure(Exception):  # noqa: N818 - named for what it is to the person at the terminal
    """Something did not happen as it must.

    Attributes:
        what: the step, the request or the check.
        expected: what should have come.
        came: what came instead.
    """

    def __init__(self, what: str, expected: str, came: str) -> None:
        super().__init__(f"{what}: expected {expected}; came: {came}")
        self.what = what
        self.expected = expected
        self.came = came
