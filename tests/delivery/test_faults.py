"""The fault points: nothing without the variable, nothing in production, one death for one file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.delivery.faults import FAULT_POINTS, fault_point
from tests.support.processes import ROOT

REACH_ALL = (
    "from app.delivery.faults import FAULT_POINTS, reach; [reach(point) for point in FAULT_POINTS]; print('over')"
)


def end_of(folder: Path) -> int:
    """How a process ended that reached all points."""
    environ = {**os.environ, "APP_ENVIRONMENT": "testing", "USHER_FAULTS": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", REACH_ALL], check=False, cwd=ROOT, env=environ, capture_output=True
    ).returncode


@pytest.mark.parametrize("environ", [{}, {"USHER_FAULTS": ""}])
def test_without_the_variable_a_point_does_nothing(environ: dict[str, str]) -> None:
    for point in FAULT_POINTS:
        fault_point(environ)(point)


def test_in_production_a_point_does_nothing(tmp_path: Path) -> None:
    reach = fault_point({"USHER_FAULTS": str(tmp_path), "APP_ENVIRONMENT": "production"})
    for point in FAULT_POINTS:
        (tmp_path / point).touch()
        reach(point)
    assert len(list(tmp_path.iterdir())) == len(FAULT_POINTS)


def test_a_file_is_one_death_and_the_next_process_lives(tmp_path: Path) -> None:
    (tmp_path / "after-connect").touch()
    assert end_of(tmp_path) == -signal.SIGKILL
    assert not list(tmp_path.iterdir())
    assert end_of(tmp_path) == 0
