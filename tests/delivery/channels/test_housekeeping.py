"""What goes on around the messages: the sweep, what is counted, what is deleted when it is old."""

from __future__ import annotations

import json

import redis
from flask.testing import FlaskClient
from sqlalchemy import Connection, text

from app.delivery.channels.tasks import sweep_messages
from app.delivery.handover import CHANNELS, wait_for_hand_over
from app.delivery.retention import clean
from app.doctor.queue import check_queue
from app.models import ChannelMessage, ChannelMessageEvent, db
from tests.support.channels import message
from tests.support.rows import count


def tasks(broker: redis.Redis) -> list[str]:
    assert wait_for_hand_over()
    return [json.loads(raw)["headers"]["task"] for raw in broker.lrange("usher", 0, -1)]


def test_the_sweep_finds_what_the_broker_has_lost(connection: Connection, broker: redis.Redis) -> None:
    message()
    assert tasks(broker) == [CHANNELS]
    broker.flushdb()
    sweep_messages(connection, 5.0)
    assert tasks(broker) == [CHANNELS]
    broker.flushdb()
    connection.execute(text("UPDATE channel_messages SET next_attempt_at = now() + interval '1 hour'"))
    sweep_messages(connection, 5.0)
    assert tasks(broker) == []


def test_messages_are_counted_by_channel_and_status(client: FlaskClient) -> None:
    message()
    message("@ana", "chat", status="failed")
    shown = client.get("/metrics").text
    assert 'usher_channel_messages{channel="sms",status="queued"} 1.0' in shown
    assert 'usher_channel_messages{channel="chat",status="failed"} 1.0' in shown
    assert 'usher_channel_messages{channel="chat",status="sent"} 0.0' in shown


def test_the_doctor_counts_what_has_failed(connection: Connection) -> None:
    message("@ana", "chat", status="failed")
    [finding] = [each for each in check_queue(connection) if each.where == "channels"]
    assert (finding.level, finding.what) == ("warning", "1 messages by chat are failed.")


def test_old_messages_go_as_old_mails_do_and_their_timelines_with_them(database: None) -> None:
    for status in ("sent", "failed", "suppressed", "uncertain", "queued"):
        for channel in ("sms", "chat"):
            message("@ana", channel, status=status)
    db.session.execute(text("UPDATE channel_messages SET time = now() - interval '400 days'"))
    db.session.commit()
    assert clean(db.engine) == {"messages": 2}
    db.session.execute(text("UPDATE channel_messages SET time = now() - interval '800 days'"))
    db.session.commit()
    assert clean(db.engine) == {"messages": 4}
    assert (count(ChannelMessage), count(ChannelMessageEvent)) == (4, 4)
