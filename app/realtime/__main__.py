"""`python -m app.realtime --host 127.0.0.1 --port 5001`: the gateway, without anything else of Usher in its memory."""

from __future__ import annotations

import argparse
import sys

from app.realtime.server import serve
from config import ConfigurationError


def main() -> int:
    """Serve; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m app.realtime", description="Usher's realtime gateway.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5001)
    options = parser.parse_args()
    try:
        return serve(options.host, options.port)
    except ConfigurationError as error:
        sys.stderr.write(f"usher: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
