"""The container that a smoke test sends through the stack: it is the sample, it writes the line, it is told the alert.

HAProxy, as every stack has its image: it answers each POST with success, and writes into its log which alert came.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container

from config.alertmanager.smoke import HOST, PORT
from config.labels import COMPONENT_LABEL, SERVICE_LABEL, stack_labels
from config.settings import Settings
from ops.errors import OpsError
from ops.stack.engine import look

SERVICE = "smoke"
"""Its label `monitoring.service`, and so the label `service` of its lines."""
LINE = "smoke test"
"""What its line begins with; then comes its name."""
# Seconds after which it ends by itself, and the engine removes it: also where `ops` was killed.
_AT_MOST = 600
_CONFIG = f"""
global
    log stdout format raw local0
    maxconn 20
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    timeout http-request 5s
frontend smoke
    bind :{PORT}
    log global
    option http-buffer-request
    http-request set-var(txn.alert) req.body,json_query('$.groupLabels.alertname')
    log-format "received %[var(txn.alert)]"
    http-request return status 200
"""
_SCRIPT = f"""
printf '%s' "$CONFIG" > /tmp/smoke.cfg
echo "$LINE"
exec timeout {_AT_MOST} haproxy -db -f /tmp/smoke.cfg
"""


@dataclass(frozen=True)
class Probe:
    """The running container of one smoke test; its `name` is in no other one."""

    name: str
    container: Container

    def was_told(self, alert: str) -> bool:
        """Whether Alertmanager has told it of the alert of this name."""
        return f"received {alert}" in self.container.logs().decode(errors="replace").splitlines()


@contextmanager
def probe(settings: Settings, engine: docker.DockerClient) -> Iterator[Probe]:
    """A probe for as long as this lasts. Raises OpsError where another one runs, or where it cannot be started."""
    found = look(engine, settings.stack).by_service
    if SERVICE in found:
        raise OpsError(
            f"another smoke test of {settings.stack} is under way ({found[SERVICE].name}); wait for it; one that was "
            f"killed is gone after {_AT_MOST // 60} minutes, or at once with: docker rm -f {found[SERVICE].name}"
        )
    proxy = found.get("docker-proxy")
    if not proxy:
        raise OpsError(f"stack {settings.stack} does not run; bring it up with: ops up --stack {settings.stack}")
    name = settings.name(f"{SERVICE}-{uuid.uuid4().hex[:8]}")
    try:
        container = _start(settings, engine, name, engine.api.inspect_container(proxy.id)["Image"])
    except DockerException as error:
        with suppress(DockerException):
            engine.containers.get(name).remove(force=True)
        raise OpsError(
            f"the container of the smoke test cannot be started: {error}; see: ops doctor --stack {settings.stack}"
        ) from error
    try:
        yield Probe(name, container)
    finally:
        with suppress(NotFound, APIError):  # it may be on its way out already
            container.remove(force=True, v=True)


def _start(settings: Settings, engine: docker.DockerClient, name: str, image: str) -> Container:
    network = settings.name("core")
    container = engine.containers.create(
        image,
        ["-c", _SCRIPT],
        entrypoint=["/bin/sh"],
        name=name,
        user="65534:65534",
        environment={"CONFIG": _CONFIG, "LINE": f"{LINE} {name}"},
        labels={
            **stack_labels(settings.stack),
            SERVICE_LABEL: SERVICE,
            COMPONENT_LABEL: "monitoring",
        },
        network=network,
        networking_config={network: engine.api.create_endpoint_config(aliases=[HOST])},
        mem_limit="64m",
        memswap_limit="64m",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        read_only=True,
        tmpfs={"/tmp": "size=1m"},
        auto_remove=True,
        detach=True,
    )
    container.start()
    return container
