"""No statement about SMS and chat messages reads the whole table, as PostgreSQL plans it for one that has grown."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import Connection, text

from app.delivery.channels.tasks import sweep_messages
from app.delivery.retention import clean
from app.models import db
from tests.servers.gateway import Gateway
from tests.support.channels import run, service
from tests.support.plans import assert_no_table_is_read_whole, statements_about

ROWS, DUE = 5_000, 3
_FILL = """
INSERT INTO channel_messages (channel, recipient, action, title, text, status, time)
    SELECT CASE WHEN n % 2 = 0 THEN 'sms' ELSE 'chat' END, '+12025550123', 'Test', 'News', repeat('Hello ', 200),
        CASE WHEN n > :rows - :due THEN 'queued' ELSE 'sent' END, now() - n * interval '1 minute'
    FROM generate_series(1, :rows) AS n
"""


def test_claiming_sending_sweeping_counting_and_deleting_are_done_by_an_index(
    gateway: Gateway, connection: Connection, client: FlaskClient
) -> None:
    service(gateway.url)
    service(gateway.url, "talk", "chat")
    # What was committed and is not on the disk yet, VACUUM does not count as seen by all.
    db.session.execute(text("SET LOCAL synchronous_commit = on"))
    db.session.execute(text(_FILL), {"rows": ROWS, "due": DUE})
    db.session.commit()
    connection.execute(text("VACUUM ANALYZE channel_messages"))
    with statements_about("channel_messages") as seen:
        sweep_messages(connection, 5.0)
        run([ROWS])
        connection.execute(text("UPDATE channel_messages SET lease_until = now() WHERE status = 'sending'"))
        sweep_messages(connection, 5.0)
        assert run().total() == DUE - 1
        clean(db.engine)
        client.get("/metrics")
    # What is counted may be all of them: by an index, too.
    assert len(seen) > 20
    assert_no_table_is_read_whole(seen, "channel_messages")
