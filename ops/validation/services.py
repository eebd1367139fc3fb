"""Service status and service health: the containers, and the services' own words about themselves."""

from collections.abc import Iterator

import docker

from config.settings import Settings
from ops.stack.engine import Container, look
from ops.validation.check import Check, answers


def expected(settings: Settings) -> list[str]:
    """The services that must be running."""
    names = ["prometheus", "alertmanager", "loki", "docker-proxy", settings.log_agent]
    names += ["node-exporter", "cadvisor", "redis-exporter"]
    names += [server.exporter for server in settings.backend.postgres]
    names += ["postgres", "postgres-replica", "redis", "nginx", "demo"] if settings.demo else []
    return names + (["grafana"] if settings.grafana.mode == "container" else [])


def status(settings: Settings, engine: docker.DockerClient) -> Iterator[Check]:
    """Every service has a container that runs."""
    found = look(engine, settings.stack).by_service
    for service in expected(settings):
        container = found.get(service)
        if not container:
            yield Check.final(service, f"there is no container {settings.name(service)}")
        elif container.state == "paused":
            yield Check.final(service, f"{container.name} is paused")
        else:
            yield Check.of(service, container.runs, container.status)


def health(settings: Settings, engine: docker.DockerClient) -> Iterator[Check]:
    """Every container is healthy by its own health check, and the user interfaces answer where people look."""
    found = look(engine, settings.stack).by_service
    for service in expected(settings):
        if container := found.get(service):
            yield Check.of(
                service, container.healthy, "healthy" if container.healthy else _last_words(container, engine)
            )
    yield answers("prometheus answers", f"{settings.prometheus.url}/-/ready")
    yield answers("alertmanager answers", f"{settings.alertmanager_url}/-/ready")
    yield answers("loki answers", f"{settings.loki_url}/ready")
    if settings.grafana.mode != "none":
        yield answers("grafana answers", f"{settings.grafana.url}/api/health")


def _last_words(container: Container, engine: docker.DockerClient) -> str:
    """How a container's health check stands, and what it printed last; the engine does not list that."""
    state = engine.api.inspect_container(container.id)["State"].get("Health") or {}
    last = (state.get("Log") or [{}])[-1].get("Output", "").strip()
    return f"{state.get('Status', 'no health check')}: {last}"
