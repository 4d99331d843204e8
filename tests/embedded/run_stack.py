"""A small `dev` for the tests: a stack with one more part, which has a child of its own.

Usage: run_stack.py DATA_DIR [patient|stubborn]; a stubborn part does not end on SIGTERM. Prints `ready` when all runs.
"""

from __future__ import annotations

import sys

from app.embedded.errors import StackError, StoppedBySignal
from app.embedded.stack import EmbeddedStack

PART = """
import signal, subprocess, sys
if sys.argv[1] == "stubborn":
    signal.signal(signal.SIGTERM, lambda *_: print("will not end", flush=True))
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("part of", child.pid, flush=True)
while True:
    signal.pause()
"""


def main() -> int:
    data_dir, temper = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "patient"
    try:
        with EmbeddedStack(data_dir, durable=False, handle_signals=True) as stack:
            part = stack.add("part", [sys.executable, "-c", PART, temper], echo=True)
            stack.wait_until(lambda: "part of" in part.log.tail(), "the part's first line")
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            return stack.wait()
    except StoppedBySignal:
        return 0
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
