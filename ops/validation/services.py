"""Service status and service health: the containers, and the services' own words about themselves."""

from collections.abc import Iterator

import docker
from docker.models.containers import Container

from config.settings import Settings
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
    found = _containers(settings, engine)
    for service in expected(settings):
        container = found.get(service)
        if not container:
            yield Check.fail(service, f"there is no container {settings.name(service)}")
            continue
        state = container.attrs["State"]
        restarts = container.attrs["RestartCount"]
        detail = state["Status"] + (f", {restarts} restarts" if restarts else "")
        yield Check.of(service, state["Status"] == "running", detail)


def health(settings: Settings, engine: docker.DockerClient) -> Iterator[Check]:
    """Every container is healthy by its own health check, and the user interfaces answer where people look."""
    found = _containers(settings, engine)
    for service in expected(settings):
        if container := found.get(service):
            state = container.attrs["State"].get("Health", {})
            last = (state.get("Log") or [{}])[-1].get("Output", "").strip()
            healthy = state.get("Status") == "healthy"
            yield Check.of(service, healthy, state.get("Status", "no health check") + ("" if healthy else f": {last}"))
    yield answers("prometheus answers", f"{settings.prometheus.url}/-/ready")
    yield answers("alertmanager answers", f"{settings.alertmanager_url}/-/ready")
    yield answers("loki answers", f"{settings.loki_url}/ready")
    if settings.grafana.mode != "none":
        yield answers("grafana answers", f"{settings.grafana.url}/api/health")


def _containers(settings: Settings, engine: docker.DockerClient) -> dict[str, Container]:
    """Service -> container of the stack."""
    labels = [f"monitoring.project={settings.project}", f"monitoring.stack={settings.stack}"]
    return {
        container.labels["monitoring.service"]: container
        for container in engine.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
    }
