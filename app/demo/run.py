"""One run of the demo, from the empty folder to the exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.demo.conference import Conference, load_conference
from app.demo.conference_play import play_conference
from app.demo.failure import DemoFailure
from app.demo.play import Outcome
from app.demo.screen import Screen
from app.demo.stage import Stage, log_ends, open_stage
from app.demo.story import play_story

FAILED = 1


def run_demo(data: Path | None, port: int | None, *, serve: bool) -> int:
    """Play the small play, or the conference of a file.

    Args:
        data: the file; None for the small play.
        port: see `open_stage`.
        serve: whether to go on serving after a play that went well, until a signal.

    Returns:
        The exit code: 0 only if every step really happened.

    Raises:
        ConferenceError: the file cannot be played; nothing was started.
        StackError: something could not be started, or ended by itself.
        StoppedBySignal: a signal came before the end of the play.
    """
    screen = Screen()
    conference = load_conference(data) if data is not None else None
    starting = screen.waiting("starting PostgreSQL, Valkey, the mail catcher, web, worker, beat and gateway")
    with starting, open_stage(port, os.environ) as stage:
        starting.stop()
        return _play(stage, screen, conference, serve=serve)


def _play(stage: Stage, screen: Screen, conference: Conference | None, *, serve: bool) -> int:
    screen.say(f"Usher serves at {stage.application.url}", "bold")
    try:
        outcome = play_conference(stage, screen, conference) if conference else play_story(stage, screen)
    except DemoFailure as failure:
        screen.failure(failure)
        sys.stderr.write(f"{log_ends(stage)}\n")
        return FAILED
    _show(stage, screen, outcome, serve=serve)
    return stage.stack.wait() if serve else 0


def _show(stage: Stage, screen: Screen, outcome: Outcome, *, serve: bool) -> None:
    screen.facts("It all happened", outcome.figures)
    if not serve:
        return
    facts = [("address", stage.application.url), ("realtime", stage.application.realtime_url)]
    facts += [(role, f"{login.email:<20}  {login.password}") for role, login in outcome.logins]
    facts += [("mails", str(stage.stack.mail_dir)), ("logs", str(stage.stack.data_dir / "log"))]
    screen.facts("Still serving: Ctrl-C ends it and removes everything", facts)
