"""Ways to break a running stack, each a context manager: entering breaks, leaving mends."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx
from docker.errors import NotFound

from config.labels import SERVICE_LABEL, stack_labels
from ops.validation.logs import LAG
from tests.engine.deployment import Deployment, eventually


@contextmanager
def stopped(stack: Deployment, service: str) -> Iterator[None]:
    """The service's container is stopped."""
    stack.container(service).stop(timeout=5)
    try:
        yield
    finally:
        stack.container(service).start()


@contextmanager
def paused(stack: Deployment, service: str) -> Iterator[None]:
    """The service's container is frozen, and Docker knows it."""
    stack.container(service).pause()
    try:
        yield
    finally:
        stack.container(service).unpause()


@contextmanager
def hung(stack: Deployment, service: str) -> Iterator[None]:
    """The service's process is frozen, and Docker does not know: its health check finds out."""
    stack.container(service).kill("STOP")
    try:
        eventually("it is unhealthy", lambda: "(unhealthy)" in _status(stack, service), 120)
        yield
    finally:
        stack.container(service).kill("CONT")
        eventually("it is healthy", lambda: "(healthy)" in _status(stack, service), 120)


@contextmanager
def disconnected(stack: Deployment, service: str, network: str, wait: float = 0) -> Iterator[None]:
    """The service's container is off one of its networks; `wait` seconds pass until that is felt."""
    found = stack.engine.networks.get(stack.name(network))
    container = stack.container(service)
    aliases = container.attrs["NetworkSettings"]["Networks"][stack.name(network)]["Aliases"]
    found.disconnect(container)
    try:
        time.sleep(wait)
        yield
    finally:
        found.connect(container, aliases=[alias for alias in aliases or [] if alias != container.short_id])


@contextmanager
def changed(
    stack: Deployment, service: str, path: str, change: Callable[[str], str], wait: float = 0, *, asked: bool = True
) -> Iterator[None]:
    """A file of a service's configuration is another, and, where `asked`, the service is told to read it again."""
    text = _read(stack, service, path)
    other = change(text)
    assert other != text, path
    _write(stack, service, path, other)
    try:
        if asked:
            _reload(stack, service)
        time.sleep(wait)
        yield
    finally:
        _write(stack, service, path, text)
        if asked:
            _reload(stack, service)
        time.sleep(wait)


@contextmanager
def one_more(stack: Deployment, **options: Any) -> Iterator[None]:
    """A container that says that it is of the stack, started by hand: like the others but for the `options`."""
    like: dict[str, Any] = {
        "image": str(stack.container("node-exporter").attrs["Config"]["Image"]),
        "command": ["-c", "sleep 300"],
        "entrypoint": "/bin/sh",
        "name": stack.name("by-hand"),
        "labels": {**stack_labels(stack.stack), SERVICE_LABEL: "by-hand"},
        "mem_limit": "32m",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "detach": True,
    }
    container = stack.engine.containers.run(**{**like, **options})
    try:
        yield
    finally:
        with suppress(NotFound):
            container.remove(force=True, v=True)


@contextmanager
def unheard(stack: Deployment) -> Iterator[None]:
    """The agent reaches Docker no more when a container starts to speak; those it knows already pass for it no more."""
    with (
        disconnected(stack, "alloy", "engine"),
        one_more(stack, name=stack.name("unheard"), command=["-c", "while :; do echo hello; sleep 1; done"]),
    ):
        time.sleep(LAG + 2)
        yield


@contextmanager
def redis_wants_another_password(stack: Deployment) -> Iterator[None]:
    """Redis runs, and lets nobody in who comes now: its exporter answers, and has nothing to tell."""
    password = secret(stack, "redis", "redis_password")

    def set_password(old: str, new: str) -> None:
        command = ["redis-cli", "--no-auth-warning", "-a", old, "config", "set", "requirepass", new]
        assert stack.run("redis", command) == "OK"

    set_password(password, "another")
    try:
        time.sleep(25)
        yield
    finally:
        set_password("another", password)


@contextmanager
def both(*ways: Any) -> Iterator[None]:
    """One thing broken after another; mended the other way round."""
    first, *others = ways
    with first:
        if others:
            with both(*others):
                yield
        else:
            yield


@contextmanager
def restarted(stack: Deployment, service: str) -> Iterator[None]:
    """The service has just started anew, and is healthy."""
    stack.container(service).restart(timeout=10)
    eventually("it is healthy", lambda: "(healthy)" in _status(stack, service), 60)
    yield


@contextmanager
def old_lines(stack: Deployment) -> Iterator[None]:
    """Loki is sent lines that are older than it takes; their number grows while it is looked."""

    def push() -> None:
        old = f"{int((time.time() - 30 * 86400) * 1e9)}"
        stream = {"stream": {"service": "old", "stack": stack.stack}, "values": [[old, "from long ago"]]}
        httpx.post(f"{stack.url('loki')}/loki/api/v1/push", json={"streams": [stream]})

    for _ in range(3):
        push()
        time.sleep(12)
    yield


@contextmanager
def notifications_fail(stack: Deployment) -> Iterator[None]:
    """A receiver leads to where nobody listens, and an alert is on its way there."""
    nowhere = "- name: P1\n  webhook_configs:\n  - url: http://127.0.0.1:1/\n"

    def lead_nowhere(text: str) -> str:
        return text.replace("- name: P1\n", nowhere)

    with changed(stack, "alertmanager", "alertmanager.yml", lead_nowhere):
        labels: Mapping[str, str] = {"alertname": "Broken", "priority": "P1", "component": "monitoring"}
        httpx.post(f"{stack.url('alertmanager')}/api/v2/alerts", json=[{"labels": labels}]).raise_for_status()
        time.sleep(50)
        yield
    with restarted(stack, "alertmanager"):
        pass


def secret(stack: Deployment, service: str, name: str) -> str:
    """A secret as the container of a service of the demo has it."""
    return stack.run(service, ["cat", f"/run/config/secrets/{name}"])


def _status(stack: Deployment, service: str) -> str:
    listed = stack.engine.api.containers(all=True, filters={"name": f"^/{stack.name(service)}$"})
    return str(listed[0]["Status"])


def _in_volume(stack: Deployment, service: str, command: str, text: str = "") -> str:
    """What a command prints that has the configuration of a service below /live."""
    image = str(stack.container("prometheus").attrs["Config"]["Image"])
    printed: bytes = stack.engine.containers.run(
        image,
        ["-c", command],
        entrypoint="/bin/sh",
        user="0:0",
        environment={"TEXT": text},
        volumes={stack.name(f"{service}-config"): {"bind": "/live", "mode": "rw"}},
        remove=True,
    )
    return printed.decode()


def _read(stack: Deployment, service: str, path: str) -> str:
    return _in_volume(stack, service, f"cat /live/{path}")


def _write(stack: Deployment, service: str, path: str, text: str) -> None:
    _in_volume(stack, service, f'printf %s "$TEXT" > /live/{path}', text)


def _reload(stack: Deployment, service: str) -> None:
    httpx.post(f"{stack.url(service)}/-/reload", timeout=60)
