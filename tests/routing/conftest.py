"""The servers that stand in for the services, one set a test."""

from collections.abc import Iterator

import pytest

from config.settings import Settings
from tests.routing.stacks import told
from tests.services import Authority, Mailbox, Services, mailbox, services


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Who the services' certificates are signed by."""
    return Authority()


@pytest.fixture
def channels(authority: Authority) -> Iterator[Services]:
    """Slack, PagerDuty and the rest."""
    with services(authority.server("127.0.0.1")) as server:
        yield server


@pytest.fixture
def box(authority: Authority) -> Iterator[Mailbox]:
    """The mail server."""
    with mailbox(authority.server("127.0.0.1")) as server:
        yield server


@pytest.fixture
def told_stack(channels: Services, authority: Authority, box: Mailbox) -> Settings:
    """A stack with all of them."""
    return told(channels, authority, box)
