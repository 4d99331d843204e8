"""The bare loop: the same mails with `marrow.mailer.Message` and `smtplib` on one kept connection, and nothing else.

`python -m benchmarks.bare_loop PORT COUNT`: what every drain is measured against.
"""

from __future__ import annotations

import smtplib
import sys

from app.delivery.render import to_envelope
from app.delivery.transports.mime import build
from benchmarks.mails import SENDER, claimed


def main(port: int, count: int) -> None:
    """Send `count` mails."""
    with smtplib.SMTP("127.0.0.1", port) as connection:
        for number in range(count):
            envelope = to_envelope(claimed(number), SENDER)
            connection.sendmail(envelope.sender, [envelope.recipient], build(envelope))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
