"""What the documents quote of the benchmarks is what the last run has measured, and what is played is what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos.answers import TRIALS
from benchmarks.quote import DOCUMENTS, figures, quoted


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_quotes_the_last_run(path: Path) -> None:
    document = path.read_text(encoding="utf-8")
    assert quoted(document, figures()) == document, "run: python -c 'from benchmarks.quote import quote; quote()'"


def test_a_quote_gets_the_new_value_and_keeps_its_words() -> None:
    row = "| `mail_scaling` | 1.2 x | two processes / one | at least 1.6 |"
    assert quoted(row, {"mail_scaling": {"value": 1.834}}) == row.replace("1.2", "1.834")
    assert quoted(row, {"mail_rate": {"value": 1.0}}) == row
    assert quoted("| `mails` | ? mails |", {"mails": {"value": 12345.6}}) == "| `mails` | 12,346 mails |"


def test_every_answer_of_a_mail_server_is_documented_as_it_is_played() -> None:
    [delivery] = [path.read_text(encoding="utf-8") for path in DOCUMENTS if path.name == "delivery.md"]
    for trial in TRIALS:
        assert f"| {trial.does} | `{trial.expected[0]}` | `{trial.expected[1]}` |" in delivery, trial.does
