"""The running worker: whatever dies around it or under it, every mail leaves, and hardly any twice.

A mail is doubled where a process dies between the SMTP server's yes and the row that says so; a sending process has one
mail in its hands at that moment, so it can double one.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest
import requests

from tests.servers.answering import AnsweringSmtp
from tests.servers.gateway import Answers, Gateway
from tests.servers.sendgrid import KEY, SendGridServer
from tests.servers.smtp import RecordingSmtp
from tests.support.events import HARD, PUBLIC_KEY, signed_headers
from tests.support.processes import runs, wait_for
from tests.support.usher import TEAM, Usher, running_usher

pytestmark = pytest.mark.slow

SMALL, LARGE = 1, 2
# In the first claim of a hundred mails, and well before its end.
MIDDLE = 60
# Entries of the timeline of an SMS that was tried twice.
STEPS = 6


@pytest.fixture(scope="module")
def sendgrid() -> Iterator[SendGridServer]:
    """What stands in SendGrid's place for the running Usher."""
    with SendGridServer() as server:
        yield server


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory, sendgrid: SendGridServer) -> Iterator[Usher]:
    with running_usher(tmp_path_factory.mktemp("worker"), SENDGRID_API_URL=sendgrid.url) as usher:
        yield usher


@pytest.fixture
def usher(_running: Usher) -> Usher:
    _running.begin_anew()
    return _running


def doubled(server: RecordingSmtp) -> list[str]:
    """The Message-IDs that came more than once, after checking that all came and none more than twice."""
    arrived = Counter(str(message["Message-ID"]) for message in server.messages)
    assert len(arrived) == TEAM
    assert {address for taken in server.envelopes for address in taken.recipients} == {
        "olivia@example.org",
        *(f"member{number}@example.org" for number in range(2, TEAM + 1)),
    }
    assert max(arrived.values()) <= 2
    return [message_id for message_id, count in arrived.items() if count > 1]


def test_registering_over_http_brings_two_mails(usher: Usher) -> None:
    usher.register("ana@example.org")
    usher.wait_until_sent(2)
    arrived = usher.caught()
    assert [message["X-RcptTo"] for message in arrived] == ["ana@example.org"] * 2
    assert len({message["Message-ID"] for message in arrived}) == 2
    shown = usher.get("/v1/mails")["data"]
    assert {mail["attributes"]["status"] for mail in shown} == {"sent"}
    assert "token=" in "".join(str(message.get_body(("plain",))) for message in arrived)
    assert "token=" not in str(shown)


def test_with_the_broker_down_the_request_succeeds_and_the_mail_leaves_when_it_is_back(usher: Usher) -> None:
    usher.stack.stop_part("valkey")
    try:
        usher.propose(SMALL)
        assert usher.statuses() == {"queued": 1}
    finally:
        usher.stack.start_server("valkey")
    usher.wait_until_sent(1)
    assert len(usher.caught()) == 1


def test_with_the_mail_server_down_the_mail_waits_with_its_error_shown_and_leaves_when_it_is_back(
    usher: Usher,
) -> None:
    usher.stack.stop_part("mailcatcher")
    try:
        usher.propose(SMALL)
        wait_for(lambda: usher.statuses() == {"deferred": 1}, "the first try")
        [mail] = usher.get("/v1/mails")["data"]
        assert mail["attributes"]["status"] == "deferred"
        assert mail["attributes"]["attempts"] >= 1
        assert "Connection refused" in mail["attributes"]["last-error"]
        assert mail["attributes"]["next-attempt-at"]
    finally:
        usher.stack.start_server("mailcatcher")
    usher.wait_until_sent(1)
    assert len(usher.caught()) == 1


def test_settings_changed_over_the_api_take_effect_in_the_running_worker(usher: Usher) -> None:
    usher.propose(SMALL)
    usher.wait_until_sent(1)
    with RecordingSmtp() as server:
        usher.send_through(server.port)
        usher.propose(SMALL)
        usher.wait_until_sent(2)
        assert len(server.envelopes) == 1
        usher.send_through(usher.stack.mail_port)
    assert len(usher.caught()) == 1


def test_a_test_mail_leaves_from_the_web_process_at_once(usher: Usher) -> None:
    answer = usher.http.post(f"{usher.application.url}/v1/test-mail", json={"recipient": "ana@example.org"}, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.json()["response"].startswith("250 ")
    [message] = usher.caught()
    assert message["X-RcptTo"] == "ana@example.org"
    assert usher.statuses() == {}


def test_a_worker_that_dies_with_an_sms_in_its_hands_repeats_that_one_and_says_so(usher: Usher) -> None:
    with Gateway() as gateway:
        gateway.script = [Answers(before=usher.kill_worker)]
        service = {"name": "gate", "channel": "sms", "url": gateway.url}
        usher.write("POST", "/v1/channel-services", "channel-service", service)
        usher.sql(
            "INSERT INTO channel_messages (channel, recipient, action, title, text)"
            " VALUES ('sms', '+12025550123', 'Test', 'News', 'The harbour opens.')"
        )
        wait_for(lambda: bool(gateway.offered), "the worker's first try")
        usher.sql("UPDATE channel_messages SET lease_until = now() WHERE status = 'sending'")
        usher.restart_worker()
        wait_for(lambda: len(gateway.offered) > 1, "the second try")
        [message] = usher.get("/v1/channel-messages")["data"]
        events = f"/v1/channel-messages/{message['id']}/events"
        wait_for(lambda: usher.get(events)["meta"]["count"] == STEPS, "the outcome")
        story = [entry["attributes"]["event"] for entry in usher.get(events)["data"]]
        assert story == ["queued", "sending", "uncertain", "queued", "sending", "sent"]
        assert [each.to for each in gateway.offered] == ["+12025550123"] * 2
        assert "Sesame" not in str(usher.get("/v1/channel-services")) + str(usher.get("/v1/activities"))


def test_switching_the_service_takes_effect_in_the_running_worker_at_once(
    usher: Usher, sendgrid: SendGridServer
) -> None:
    usher.propose(SMALL)
    usher.wait_until(sent=1)
    usher.set({"email-service": "sendgrid", "sendgrid-key": KEY})
    usher.propose(SMALL)
    usher.wait_until(sent=2)
    usher.set({"email-service": "disable"})
    usher.propose(SMALL)
    usher.wait_until(sent=2, suppressed=1)
    usher.set({"email-service": "smtp"})
    usher.propose(SMALL)
    usher.wait_until(sent=3, suppressed=1)
    mails = usher.get("/v1/mails?sort=time")["data"]
    assert [mail["attributes"]["provider"] for mail in mails] == ["smtp", "sendgrid", None, "smtp"]
    assert len(usher.caught()) == 2
    assert [mail["custom_args"]["mail_id"] for mail in sendgrid.mails] == [mails[1]["id"]]
    assert mails[1]["attributes"]["provider-message-id"] == "SG1"


def test_what_sendgrid_tells_reaches_the_timeline_the_list_and_the_user(usher: Usher, sendgrid: SendGridServer) -> None:
    usher.set({"email-service": "sendgrid", "sendgrid-key": KEY, "sendgrid-webhook-key": PUBLIC_KEY})
    before = len(sendgrid.mails)
    usher.register("bea@example.org")
    usher.wait_until(sent=2)
    events = [
        {
            "email": "bea@example.org",
            "timestamp": int(time.time()),
            "sg_event_id": f"{kind}-{number}",
            "sg_message_id": f"SG{number}.filter0001.123",
            "event": kind,
            "type": "bounce",
            "reason": HARD,
            **sendgrid.mails[number - 1]["custom_args"],
        }
        for number in range(before + 1, before + 3)
        for kind in ("processed", "delivered", "bounce")
    ]
    for part in (events[::-1], events, events[2:4]):
        body = json.dumps(part).encode()
        address = f"{usher.application.url}/v1/webhooks/sendgrid"
        answer = requests.post(address, data=body, headers=signed_headers(body), timeout=30)
        assert answer.status_code == 200, answer.text
        answer = requests.post(address, data=body[:-1], headers=signed_headers(body), timeout=30)
        assert answer.status_code == 403
    assert usher.statuses() == {"bounced": 2}
    told = [item["attributes"] for item in usher.get("/v1/mails?include=events")["included"]]
    assert Counter(item["event"] for item in told if item["raw"]) == {"sent": 2, "delivered": 2, "bounced": 2}

    [user] = usher.get("/v1/users?filter[email]=bea@example.org")["data"]
    assert user["attributes"]["email-problem"]["reason"] == "hard-bounce"
    reset = {"data": {"email": "bea@example.org"}}
    assert usher.http.post(f"{usher.application.url}/v1/auth/reset-password", json=reset, timeout=30).ok
    usher.wait_until(bounced=2, suppressed=1)
    [entry] = usher.get("/v1/suppressions")["data"]
    assert usher.http.delete(usher.application.url + entry["links"]["self"], timeout=30).status_code == 204
    assert usher.http.post(f"{usher.application.url}/v1/auth/reset-password", json=reset, timeout=30).ok
    usher.wait_until(bounced=2, suppressed=1, sent=1)
    assert usher.get(f"/v1/users/{user['id']}")["data"]["attributes"]["email-problem"] is None


def test_a_killed_worker_loses_none_of_200_mails_and_doubles_one_at_most(usher: Usher) -> None:
    killed = threading.Event()

    def kill(count: int) -> None:
        if count == MIDDLE:
            usher.kill_worker()
            killed.set()

    with AnsweringSmtp(kill) as server:
        usher.send_through(server.port)
        usher.propose(LARGE)
        assert killed.wait(60)
        usher.let_leases_end()
        usher.restart_worker()
        usher.wait_until_sent(TEAM)
        assert len(doubled(server)) <= 1


def test_a_killed_process_of_the_worker_is_replaced_and_doubles_one_mail_at_most(usher: Usher) -> None:
    killed = threading.Event()
    lost: list[str] = []

    def kill(count: int) -> None:
        if count == MIDDLE:
            lost.append(usher.claim_of(server.envelopes[-1].recipients[0]))
            usher.sender(server.client_port).kill()
            killed.set()

    with AnsweringSmtp(kill) as server:
        usher.send_through(server.port)
        usher.propose(LARGE)
        assert killed.wait(60)
        usher.let_leases_end(*lost)
        usher.wait_until_sent(TEAM)
        assert len(doubled(server)) <= 1


def test_a_worker_that_is_asked_to_end_doubles_nothing_and_loses_nothing(usher: Usher) -> None:
    def ask(count: int) -> None:
        if count == MIDDLE:
            os.kill(worker.pid, signal.SIGTERM)

    worker = psutil.Process(usher.stack.pid("worker"))
    with AnsweringSmtp(ask) as server:
        usher.send_through(server.port)
        usher.propose(LARGE)
        wait_for(lambda: not runs(worker), "the end of the worker")
        assert not usher.claims()
        usher.restart_worker()
        usher.wait_until_sent(TEAM)
        assert doubled(server) == []


def test_a_restart_of_postgresql_in_the_middle_is_survived(usher: Usher) -> None:
    reached, restarted = threading.Event(), threading.Event()
    lost: list[str] = []

    def hold(count: int) -> None:
        if count == MIDDLE:
            lost.extend(usher.claims())
            reached.set()
            restarted.wait(60)

    with AnsweringSmtp(hold) as server:
        usher.send_through(server.port)
        usher.propose(LARGE)
        assert reached.wait(60)
        usher.stack.stop_part("postgres")
        usher.stack.start_server("postgres")
        restarted.set()
        usher.let_leases_end(*lost)
        usher.wait_until_sent(TEAM)
        assert len(doubled(server)) <= 1
    usher.begin_anew()
    usher.propose(SMALL)
    usher.wait_until_sent(1)
