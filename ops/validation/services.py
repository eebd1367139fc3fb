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
    names += ["blackbox-exporter"] if settings.backend.endpoints else []
    names += ["postgres", "postgres-replica", "redis", "nginx", "demo"] if settings.demo else []
    return names + (["grafana"] if settings.grafana.mode == "container" else [])


def status(settings: Settings, engine: docker.DockerClient) -> Iterator[Check]:
    """Every service has a container that runs."""
    found = look(engine, settings.stack).by_service
    for service in expected(settings):
        container = found.get(service)
        name = settings.name(service)
        wanted = f"the container {name} runs"
        mend = f"ops up --stack {settings.stack}"
        if not container:
            hint = f"{mend} makes it anew"
            yield Check.fail(
                service, f"there is no container {name}", waits=False, expected=wanted, hint=hint, about=service
            )
        elif container.state == "paused":
            hint = f"{mend} lets it go on (or: docker unpause {name})"
            yield Check.fail(
                service, f"{container.name} is paused", waits=False, expected=wanted, hint=hint, about=service
            )
        else:
            hint = f"{mend} starts it; if it ends again, its last words are in: docker logs --tail 50 {name}"
            yield Check.of(service, container.runs, container.status, expected=wanted, hint=hint, about=service)


def health(settings: Settings, engine: docker.DockerClient) -> Iterator[Check]:
    """Every container is healthy by its own health check, and the user interfaces answer where people look."""
    found = look(engine, settings.stack).by_service
    for service in expected(settings):
        if container := found.get(service):
            healthy = container.healthy
            yield Check.of(
                service,
                healthy,
                "healthy" if healthy else _last_words(container, engine),
                expected="its own health check passes",
                hint=f"read what it says: docker logs --tail 50 {container.name}; "
                f"if it hangs: docker restart {container.name}",
                about=service,
                needs=(service,),
            )
    addresses = {
        "prometheus": f"{settings.prometheus.url}/-/ready",
        "alertmanager": f"{settings.alertmanager_url}/-/ready",
        "loki": f"{settings.loki_url}/ready",
    }
    if settings.grafana.mode != "none":
        addresses["grafana"] = f"{settings.grafana.url}/api/health"
    for service, url in addresses.items():
        yield answers(
            f"{service} answers",
            url,
            expected="success, within 5 s, at the address that people use",
            hint=f"look at what the port leads to: docker port {settings.name(service)}; and whether a firewall or "
            f"a proxy lies between; ops up --stack {settings.stack} connects its networks again",
            about=service,
            needs=(service,),
        )


def _last_words(container: Container, engine: docker.DockerClient) -> str:
    """How a container's health check stands, and what it printed last; the engine does not list that."""
    state = engine.api.inspect_container(container.id)["State"].get("Health") or {}
    last = (state.get("Log") or [{}])[-1].get("Output", "").strip()
    return f"{state.get('Status', 'no health check')}: {last}"
