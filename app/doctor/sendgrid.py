"""SendGrid: whether the key is known there, and may send mail (`GET /v3/scopes`); no mail is sent."""

from __future__ import annotations

import json
import ssl
from typing import Final

import requests

from app.delivery.transports.base import SendGridConfig, clean_response
from app.delivery.transports.http_client import Answer, Exchange, NoAnswerError, get, new_session
from app.delivery.transports.sendgrid_answers import no_answer
from app.doctor.findings import Finding

CHECK: Final = "sendgrid"
SCOPE: Final = "mail.send"
CONNECT_SECONDS: Final = 5.0
SECONDS: Final = 10.0

_KEY: Final = "Make a key with the right to send mail (Mail Send), and set it as sendgrid-key: PATCH /v1/settings/1."
_PLACE: Final = "Check SENDGRID_API_URL and the network between."


class _Bearer(requests.auth.AuthBase):
    """The key, where neither the URL nor a `.netrc` can put another in its place."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def check_sendgrid(config: SendGridConfig) -> list[Finding]:
    """Ask SendGrid what the key may do."""
    where = config.api_url.partition("://")[2].partition("/")[0]
    key = config.api_key
    if not (key.isascii() and key.isprintable() and key and " " not in key):
        what = "sendgrid-key is no API key: it has a blank or a character that no key has."
        return [Finding("problem", CHECK, where, what, _KEY)]
    context = ssl.create_default_context()
    if config.ca_file:
        try:
            context.load_verify_locations(config.ca_file)
        except OSError as error:
            what = f"The certificates in {config.ca_file} cannot be read: {error.strerror or error}."
            return [Finding("problem", CHECK, "SMTP_CA_FILE", what, "Name a file in PEM, or take the variable away.")]
    return [_ask(config, context, where)]


def _ask(config: SendGridConfig, context: ssl.SSLContext, where: str) -> Finding:
    exchange = Exchange(CONNECT_SECONDS, SECONDS)
    with new_session(context) as session:
        try:
            answer = get(session, f"{config.api_url}/v3/scopes", exchange, _Bearer(config.api_key))
        except NoAnswerError:
            if exchange.is_given:
                what = f"SendGrid at {where} does not answer: {exchange.reason}."
                return Finding("problem", CHECK, where, what, _PLACE)
            return Finding("problem", CHECK, where, str(no_answer(exchange, where)), _PLACE)
    return _judge(answer, config.api_key, where)


def _judge(answer: Answer, key: str, where: str) -> Finding:
    if answer.status in (401, 403):
        what = f"SendGrid does not take the key: {answer.status} {_said(answer, key)}".rstrip(" .")
        advice = f"{_KEY} If the account has an allow-list of addresses, put this host's on it."
        return Finding("problem", CHECK, where, f"{what}.", advice)
    if answer.status == 429 or answer.status >= 500:  # noqa: PLR2004 - too many; the class of server errors
        what = f"SendGrid cannot say now what the key may do: {answer.status} {_said(answer, key)}".rstrip(" .")
        return Finding("warning", CHECK, where, f"{what}.", "Look again later.")
    scopes = _scopes(answer) if answer.status == 200 else None  # noqa: PLR2004 - OK
    if scopes is None:
        what = f"This is not how SendGrid's API answers ({answer.status})."
        return Finding("problem", CHECK, where, what, "Check SENDGRID_API_URL.")
    if SCOPE not in scopes:
        what = f"SendGrid knows the key, but it may not send mail: {SCOPE} is not among its {len(scopes)} rights."
        return Finding("problem", CHECK, where, what, _KEY)
    return Finding("ok", CHECK, where, "SendGrid knows the key, and it may send mail.")


def _scopes(answer: Answer) -> list[str] | None:
    try:
        scopes = json.loads(answer.body)["scopes"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return [str(scope) for scope in scopes] if isinstance(scopes, list) else None


def _said(answer: Answer, key: str) -> str:
    """What the body says, without the key that it may repeat."""
    if "html" in answer.headers.get("Content-Type", ""):
        return ""
    try:
        text = "; ".join(str(error["message"]) for error in json.loads(answer.body)["errors"])
    except (ValueError, TypeError, KeyError, RecursionError):
        text = ""
    return clean_response(text.replace(key, "***"))
