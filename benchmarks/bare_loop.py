"""The bare loop: the same mails with `marrow.mailer.Message` and `smtplib` on one kept connection, and nothing else.

`python -m benchmarks.bare_loop PORT COUNT`: what every drain is measured against. No database, no outcomes, no
templates: subject, HTML and text are there before the clock starts; each message is built and sent.
"""

from __future__ import annotations

import smtplib
import sys
import time

from app.delivery.render import to_envelope
from app.delivery.transports.marrow_mailer import Message
from benchmarks.mails import SENDER, claimed


def main(port: int, count: int) -> None:
    """Send `count` mails and print the seconds that it took."""
    envelope = to_envelope(claimed(1), SENDER)
    begun = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as connection:
        for number in range(count):
            recipient = f"user{number}@example.org"
            message = Message(
                author=(envelope.sender_name, envelope.sender),
                to=recipient,
                subject=envelope.subject,
                plain=envelope.text,
                rich=envelope.html,
                headers=[("Message-Id", f"<{number}@example.org>"), ("Auto-Submitted", "auto-generated")],
            )
            connection.sendmail(envelope.sender, [recipient], str(message))
        print(time.perf_counter() - begun, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
