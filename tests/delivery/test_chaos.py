"""What `make chaos` proves, in short: processes that are killed, and the broker and the database with them."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.delivery.claims import claim_batch
from app.delivery.faults import FAULT_POINTS
from app.models import db
from tests.support.processes import ROOT, plain_environment

THREADS = 8
MAILS = 2000


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The scenarios of the rehearsal by their names, from the command itself."""
    path = tmp_path_factory.mktemp("chaos") / "report.json"
    command = [sys.executable, "-m", "benchmarks.chaos", "--rehearse", "--report", str(path)]
    done = subprocess.run(command, check=False, cwd=ROOT, env=plain_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return {scenario["name"]: scenario for scenario in json.loads(path.read_text(encoding="utf-8"))["scenarios"]}


@pytest.mark.slow
def test_a_process_killed_at_each_fault_point_loses_nothing_and_doubles_only_what_it_says(
    rehearsal: dict[str, Any],
) -> None:
    killed = rehearsal["killed once at each point"]
    assert killed["deaths"] == len(FAULT_POINTS)
    assert (killed["account"]["lost"], killed["account"]["unsent"], killed["account"]["unexplained"]) == (0, 0, 0)
    # Two of the five points lie between the server's yes and the row that says so.
    assert killed["account"]["doubled"] <= 2
    assert killed["account"]["doubled"] <= killed["account"]["uncertain"] <= len(FAULT_POINTS)


@pytest.mark.slow
def test_a_broker_that_is_emptied_and_restarted_loses_and_doubles_nothing(rehearsal: dict[str, Any]) -> None:
    account = rehearsal["Valkey restarted"]["account"]
    assert account["mails"] > 0
    assert (account["lost"], account["unsent"], account["doubled"], account["uncertain"]) == (0, 0, 0, 0)


@pytest.mark.slow
def test_a_database_that_is_killed_loses_nothing_and_doubles_only_what_it_says(rehearsal: dict[str, Any]) -> None:
    account = rehearsal["PostgreSQL killed and started"]["account"]
    assert account["mails"] > 0
    assert (account["lost"], account["unsent"], account["unexplained"]) == (0, 0, 0)


def test_eight_at_once_claim_every_mail_once(database: None) -> None:
    db.session.execute(
        text(
            "INSERT INTO mails (recipient, action, subject, message, text, message_id)"
            " SELECT n || '@example.org', 'Test', 's', 'm', 't', n || '@example.org' FROM generate_series(1, :count) n"
        ),
        {"count": MAILS},
    )
    db.session.commit()
    engine = db.engine

    def claim_all() -> list[int]:
        claimed: list[int] = []
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while mails := claim_batch(connection)[1]:
                claimed += [mail.id for mail in mails]
        return claimed

    with ThreadPoolExecutor(THREADS) as pool:
        claims = list(pool.map(lambda _: claim_all(), range(THREADS)))
    everything = sorted(mail_id for claimed in claims for mail_id in claimed)
    assert len(everything) == MAILS
    assert len(set(everything)) == MAILS


def test_the_command_names_what_it_can_play(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.chaos", "earthquake"]
    done = subprocess.run(command, check=False, cwd=ROOT, env=plain_environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert "No such scenario: earthquake. There are: everything" in done.stderr
