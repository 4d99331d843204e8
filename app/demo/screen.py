"""What the demo shows: titles, requests, tables, a mail, checks, progress; also where there is no terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.status import Status
from rich.table import Table
from rich.text import Text

from app.demo.checks import Check
from app.demo.client import Answer
from app.demo.failure import DemoFailure
from app.demo.mailbox import CaughtMail

NARROW: Final = 80
WIDE: Final = 100
METHOD_COLORS: Final = {"GET": "green", "POST": "yellow", "PATCH": "cyan", "DELETE": "red"}
HEADERS_OF_INTEREST: Final = ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted")
MAIL_LINES: Final = 14
FIRST_ERROR: Final = 400


class Screen:
    """The terminal, or a file in its place. Everything is shown as text: nothing that came is taken for markup."""

    def __init__(self, file: TextIO | None = None) -> None:
        console = Console(file=file, markup=False, emoji=False, highlight=False)
        width = min(console.width, WIDE) if console.is_terminal else NARROW
        self._console = Console(file=file, markup=False, emoji=False, highlight=False, width=width)
        self._step = 0
        # Where the encoding has no such marks, others stand for them.
        self._marks = ("✓", "✗") if self._console.encoding.lower().startswith("utf") else ("+", "!")

    def title(self, words: str) -> None:
        """Begin a step."""
        self._step += 1
        self._console.print()
        self._console.print(Rule(Text(f"{self._step}  {words}", "bold"), align="left", style="dim"))

    def say(self, words: str, style: str = "") -> None:
        """Say something between requests."""
        self._console.print(Text(f"  {words}", style))

    def line(self, words: str, style: str = "") -> None:
        """Show a line as it came, cut where the terminal ends."""
        self._console.print(Text(f"  {words}", style), no_wrap=True, overflow="ellipsis")

    def answer(self, answer: Answer, came: str) -> None:
        """Show a request, its status, and what came of it."""
        row = Table.grid(padding=(0, 1), expand=True)
        row.add_column(width=1)
        row.add_column(width=6)
        row.add_column(ratio=11, no_wrap=True, overflow="ellipsis")
        row.add_column(width=3)
        row.add_column(ratio=10)
        row.add_row(
            "",
            Text(answer.method, METHOD_COLORS.get(answer.method, "")),
            Text(_shown_path(answer)),
            Text(str(answer.status), "bold green" if answer.status < FIRST_ERROR else "bold magenta"),
            Text(came, "dim"),
        )
        self._console.print(row)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], flexible: str = "") -> None:
        """Show rows under their names; the flexible column gives way first where room is short."""
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for number, name in enumerate(columns):
            widest = max((cell_len(cells[number]) for cells in rows), default=0)
            least = None if name == flexible else max(widest, cell_len(name))
            table.add_column(Text(name), no_wrap=name != flexible, min_width=least)
        for cells in rows:
            table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells))
        self._console.print(_indented(table))

    def mail(self, mail: CaughtMail) -> None:
        """Show a mail as it arrived: the headers of interest, and the text part."""
        headers = Table.grid(padding=(0, 1))
        headers.add_column(style="cyan", no_wrap=True)
        headers.add_column(overflow="fold")
        for name in HEADERS_OF_INTEREST:
            if mail.header(name):
                headers.add_row(f"{name}:", Text(" ".join(mail.header(name).split())))
        lines = mail.text.strip().splitlines()
        text = "\n".join(lines[:MAIL_LINES] + (["…"] if len(lines) > MAIL_LINES else []))
        panel = Panel(Group(headers, Text(), Text(text)), title="text/plain, as caught", title_align="left", style="")
        self._console.print(_indented(panel))

    def check(self, check: Check) -> None:
        """Show a check; one that failed ends the demo.

        Raises:
            DemoFailure: it failed.
        """
        if not check.ok:
            raise DemoFailure(check.what, check.expected, check.came)
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(width=1)
        line.add_column(width=1)
        line.add_column(ratio=1)
        line.add_column(justify="right", style="dim")
        line.add_row("", Text(self._marks[0], "bold green"), Text(check.what), Text(check.came))
        self._console.print(line)

    def failure(self, failure: DemoFailure) -> None:
        """Say in red what did not happen."""
        self._console.print()
        self._console.print(Text(f"{self._marks[1]} {failure}", "bold red"), soft_wrap=True)

    def waiting(self, words: str) -> Status:
        """A spinner to show while something is waited for."""
        return self._console.status(Text(words, "dim"))

    def progress(self) -> Progress:
        """Bars to show while many things are done."""
        return Progress(
            TextColumn(" "),
            SpinnerColumn(finished_text=Text(self._marks[0], "bold green")),
            TextColumn("{task.description:<24}", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )

    def facts(self, title: str, facts: Sequence[tuple[str, str]]) -> None:
        """Show what is good to know, each under its name, in a frame."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="cyan", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in facts:
            grid.add_row(Text(name), Text(value))
        self._console.print()
        self._console.print(Panel(grid, title=title, title_align="left", border_style="green"))


def _shown_path(answer: Answer) -> str:
    """The path without the server's address, and without a token that logs should not keep."""
    path = answer.path
    if path.startswith("http"):
        path = "/" + path.split("/", 3)[-1]
    before, sign, _ = path.partition("token=")
    return f"{before}token=…" if sign else path


def _indented(what: RenderableType) -> RenderableType:
    grid = Table.grid(padding=0, expand=True)
    grid.add_column(width=2)
    grid.add_column(ratio=1)
    grid.add_row("", what)
    return grid
