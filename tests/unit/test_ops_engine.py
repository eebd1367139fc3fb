"""A Docker engine that is too busy, gone, or unwilling: one message each, and no traceback."""

import socket
from collections.abc import Iterator

import docker
import pytest
import typer

from ops.cli.common import clear_errors
from ops.stack.engine import look


@pytest.fixture
def busy() -> Iterator[socket.socket]:
    """Something that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


def _client(listening: socket.socket) -> docker.DockerClient:
    return docker.DockerClient(f"tcp://127.0.0.1:{listening.getsockname()[1]}", version="1.41", timeout=1)


def _message(client: docker.DockerClient, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(typer.Exit) as caught, clear_errors():
        look(client, "dev")
    assert caught.value.exit_code == 2
    return capsys.readouterr().err


def test_an_engine_that_does_not_answer_in_time_is_named(
    busy: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "the Docker engine does not answer in time" in _message(_client(busy), capsys)


def test_an_engine_that_is_gone_is_named(busy: socket.socket, capsys: pytest.CaptureFixture[str]) -> None:
    client = _client(busy)
    busy.close()
    assert "the Docker engine is gone" in _message(client, capsys)


def test_what_the_engine_refuses_is_told(engine: docker.DockerClient, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), clear_errors():
        engine.api.inspect_container("there-is-no-such-container")
    assert "the Docker engine refused: " in capsys.readouterr().err
