"""Further receivers, of each kind that there is: what is posted where."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.processes import alertmanager, fire, wait_for
from tests.routing.stacks import KINDS, further, labels, told
from tests.routing.test_messages import ANNOTATIONS, CONNECTIONS
from tests.services import Answer, Authority, Mailbox, Services

# What each further kind of receiver gets: where it is posted to, and how its message is found in it.
FURTHER: dict[str, tuple[str, Callable[[Any], str]]] = {
    "slack": ("/team", lambda body: body["attachments"][0]["title"]),
    "pagerduty": ("/team", lambda body: body["payload"]["summary"]),
    "webhook": ("/team", lambda body: body["alerts"][0]["labels"]["alertname"]),
    "opsgenie": ("/team/v2/alerts", lambda body: body["message"]),
    "teams": ("/team", json.dumps),
    "telegram": ("/team/botSECRET/sendMessage", lambda body: body["text"]),
}


@pytest.mark.parametrize("kind", FURTHER)
def test_a_further_receiver_of_each_kind_gets_its_message(
    kind: str, channels: Services, authority: Authority, tmp_path: Path
) -> None:
    path, text = FURTHER[kind]
    by_address = kind in ("slack", "webhook", "teams")
    telegram = json.dumps({"ok": True, "result": {"message_id": 1, "date": 1, "chat": {"id": 1}}})
    if kind == "telegram":
        channels.answers[path] = lambda: Answer(body=telegram)
    one = further(kind, matchers=['component="database"'], **({} if by_address else {"url": f"{channels.url}/team"}))
    secret = f"{channels.url}/team" if by_address else "SECRET"
    stack = told(channels, authority, receivers=[one], receiverSecrets={"team": secret})
    with alertmanager(stack, tmp_path) as url:
        fire(url, CONNECTIONS, labels("RedisDown", "P1", "redis", instance="redis:6379"), annotations=ANNOTATIONS)
        wait_for(lambda: channels.taken(path) and len(channels.taken("/slack")) >= 2, tmp_path / "log")
    (body,) = channels.taken(path)
    assert "PostgreSQLTooManyConnections" in text(body)


def test_there_is_a_test_for_every_further_kind() -> None:
    assert {*FURTHER, "email"} == set(KINDS)


def test_a_further_email_receiver_gets_its_message(
    channels: Services, authority: Authority, box: Mailbox, tmp_path: Path
) -> None:
    stack = told(channels, authority, box, receivers=[further("email", to="dba@example.org")], alertEmailCritical="")
    with alertmanager(stack, tmp_path) as url:
        fire(url, CONNECTIONS, annotations=ANNOTATIONS)
        wait_for(lambda: box.messages)
    assert box.recipients == ["dba@example.org"]
