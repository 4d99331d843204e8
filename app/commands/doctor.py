"""`manage.py doctor`: looks for what keeps mail from leaving or arriving, and says what to do about it."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from app.commands.data_dir import DEFAULT_DATA_DIR
from app.embedded.errors import StackError

if TYPE_CHECKING:
    from app.doctor.findings import Finding

_COLOURS: Final = {"ok": "green", "warning": "yellow", "problem": "red"}
_SERVERS: Final = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SETTINGS_KEY")
_WIDTH: Final = 120


@click.command("doctor")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Look at the `manage.py dev` that runs on this folder (default without DATABASE_URL: {DEFAULT_DATA_DIR}).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(data_dir: Path | None, *, as_json: bool) -> None:
    """Look at configuration, servers, workers, mail service, sender's domain and queue; 1 if there is a problem.

    It changes nothing and sends no mail. Secrets are not shown.
    """
    _use_servers(data_dir)
    # The checks are imported here, so that `manage.py --help` needs no database.
    from app.doctor.findings import has_problem  # noqa: PLC0415
    from app.doctor.run import examine  # noqa: PLC0415

    findings = examine(os.environ)
    if as_json:
        click.echo(json.dumps(_document(findings), ensure_ascii=False, indent=1))
    else:
        _show(findings)
    if has_problem(findings):
        raise SystemExit(1)


def _use_servers(data_dir: Path | None) -> None:
    """The environment of a `manage.py dev`; without one, what is missing is a finding like any other."""
    if data_dir is None and any(os.environ.get(name) for name in _SERVERS):
        return
    from app.embedded.runtime import read_runtime  # noqa: PLC0415 - production need not have the embedded servers

    try:
        read_runtime(data_dir or Path(DEFAULT_DATA_DIR)).put_into(os.environ)
    except StackError as error:
        if data_dir is not None:
            raise click.ClickException(f"{error}.") from error


def _count(findings: list[Finding], level: str) -> int:
    return sum(1 for finding in findings if finding.level == level)


def _document(findings: list[Finding]) -> dict[str, object]:
    return {
        "problems": _count(findings, "problem"),
        "warnings": _count(findings, "warning"),
        "findings": [asdict(finding) for finding in findings],
    }


def _show(findings: list[Finding]) -> None:
    """A table: level, what was looked at, where and what was found, with the advice below."""
    checks = max(len(finding.check) for finding in findings)
    indent = " " * (len("problem") + 2 + checks + 2)
    width = max(min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH), len(indent) + 30)
    for finding in findings:
        level = click.style(f"{finding.level:<7}", fg=_COLOURS[finding.level])
        lines = textwrap.wrap(
            f"{finding.where}: {finding.what}", width, initial_indent=indent, subsequent_indent=indent
        )
        click.echo(f"{level}  {finding.check:<{checks}}  {lines[0].strip()}")
        for line in lines[1:]:
            click.echo(line)
        if finding.advice:
            click.echo(
                textwrap.fill(f"-> {finding.advice}", width, initial_indent=indent, subsequent_indent=f"{indent}   ")
            )
    problems, warnings = _count(findings, "problem"), _count(findings, "warning")
    click.echo(f"\n{problems} problems, {warnings} warnings, {_count(findings, 'ok')} in order.")
