"""Everything that a mail server can do to a mail, and what becomes of the mail: as docs/delivery.md says."""

from __future__ import annotations

import pytest
from flask import current_app

from benchmarks.chaos.answers import TRIALS, Trial, play


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.does)
def test_a_mail_ends_as_documented_when_its_server(sending: None, trial: Trial) -> None:
    answer = play(trial, current_app.config["USHER"])
    assert (answer.became, answer.then) == trial.expected
    # What may have been taken twice says so.
    assert answer.was_doubtful == ("uncertain" in trial.expected)
