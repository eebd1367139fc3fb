"""The whole graph of dev, prod and pull request stacks, as the program declares it to Pulumi's engine."""

import json
import runpy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.program import declare, program
from config.keys import environment_variables
from config.project import ROOT
from config.settings import Settings, load
from tests.unit.recording import (
    CONTAINER,
    DOCKER,
    IMAGE,
    NETWORK,
    VOLUME,
    Graph,
    Registration,
    record,
    secret_values,
)
from tests.unit.test_settings import SECRETS

STACKS = ("dev", "pr-7", "prod")
# The demo's own image has no registry; `ops up` builds it and names it so.
DEMO = {"demo": "true", "imageOverrides": '{"demo": "monitoring-demo:0123456789ab"}', "postgresDb": "defillama"}
EXISTING = {
    "protect": "true",
    "postgresHost": "db.example",
    "noReceivers": "true",
    "postgresReplicas": '["replica.example:5432"]',
    "redisHost": "cache.example",
    "kongAddresses": '["kong.example:8100"]',
    "realtimeAddresses": '["realtime.example:4000"]',
    "smtpHost": "smtp.example",
    "smtpFrom": "monitoring@example.org",
    "alertEmailCritical": "critical@example.org",
}

INTERFACES = {"prometheus", "alertmanager", "grafana", "loki"}
MONITORING = INTERFACES | {
    *("alloy", "docker-proxy", "node-exporter", "cadvisor", "redis-exporter", "postgres-exporter")
}
BACKEND = {"postgres", "postgres-replica", "redis", "nginx", "demo"}
# They check and write configuration, and end.
SHORT_LIVED = {
    *("prometheus-config", "alertmanager-config", "loki-config", "alloy-config"),
    *("loki-check", "alloy-check", "docker-proxy-check"),
}
SERVICES = {
    "dev": MONITORING | BACKEND | {"postgres-replica-exporter", "blackbox-exporter"},
    "pr-7": MONITORING | BACKEND | {"postgres-replica-exporter", "blackbox-exporter"},
    "prod": MONITORING | {"postgres-replica-1-exporter"},
}
DATA = INTERFACES | {"alloy"}
WITHOUT_DATA = {"demo", "nginx"}
DATA_VOLUMES = {"dev": DATA | BACKEND - WITHOUT_DATA, "pr-7": DATA | BACKEND - WITHOUT_DATA, "prod": DATA}
CONFIG_VOLUMES = {"prometheus-config", "alertmanager-config", "loki-config", "alloy-config"}

# Every capability that a container has at all, and why.
CAPABILITIES = {
    # Reads the state of containers and processes that belong to other users, and the kernel's log.
    "cadvisor": ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYSLOG"],
    # Reads log files that belong to other users.
    "promtail": ["CAP_DAC_READ_SEARCH"],
    "alloy": ["CAP_DAC_READ_SEARCH"],
}


def settings_of(stack: str, **changes: str) -> Settings:
    """The settings of a stack of that kind, with keys changed."""
    values = EXISTING if stack == "prod" else DEMO
    return load(stack, {**values, **SECRETS, **changes}, environment={}, dotenv=Path("/nonexistent"))


def graph_of(stack: str, **changes: str) -> Graph:
    """The graph of a stack of that kind, with keys changed."""
    settings = settings_of(stack, **changes)
    return record(lambda: declare(settings), stack)


@cache
def plain(stack: str) -> Graph:
    """The graph of a stack as it is without changes."""
    return graph_of(stack)


def containers(graph: Graph, stack: str) -> dict[str, Registration]:
    """Service -> container."""
    return {name.removeprefix(f"monitoring-{stack}-"): found for name, found in graph.of(CONTAINER).items()}


def services(graph: Graph, stack: str) -> dict[str, Registration]:
    """Service -> container, without those that only run once."""
    return {name: found for name, found in containers(graph, stack).items() if name not in SHORT_LIVED}


# What there is, and under which names


@pytest.mark.parametrize("stack", STACKS)
def test_the_containers_are_exactly_these(stack: str) -> None:
    expected = SERVICES[stack] | SHORT_LIVED
    assert set(plain(stack).of(CONTAINER)) == {f"monitoring-{stack}-{service}" for service in expected}


@pytest.mark.parametrize("stack", STACKS)
def test_the_volumes_are_exactly_these(stack: str) -> None:
    expected = DATA_VOLUMES[stack] | CONFIG_VOLUMES
    assert set(plain(stack).of(VOLUME)) == {f"monitoring-{stack}-{volume}" for volume in expected}


@pytest.mark.parametrize("stack", STACKS)
def test_the_networks_are_exactly_these(stack: str) -> None:
    networks = plain(stack).of(NETWORK)
    assert set(networks) == {f"monitoring-{stack}-{name}" for name in ("core", "edge", "engine")}
    assert networks[f"monitoring-{stack}-core"].inputs["internal"] is True
    assert not networks[f"monitoring-{stack}-edge"].inputs.get("internal")


def test_the_stacks_of_two_pull_requests_share_no_name_and_no_port() -> None:
    one, other = plain("pr-7"), graph_of("pr-8")
    for kind in (CONTAINER, VOLUME, NETWORK):
        assert not set(one.of(kind)) & set(other.of(kind))
    assert not set(published(one, "pr-7").values()) & set(published(other, "pr-8").values())


@pytest.mark.parametrize("stack", STACKS)
def test_every_docker_resource_has_the_stacks_own_provider(stack: str) -> None:
    graph = plain(stack)
    (provider,) = [resource.urn for resource in graph.resources if resource.type == DOCKER]
    docker = [resource for resource in graph.resources if resource.type.startswith("docker:")]
    assert {resource.provider for resource in docker} == {provider}
    assert "host" not in graph.named("docker").inputs


def test_the_provider_speaks_to_the_docker_host_that_is_configured() -> None:
    graph = graph_of("prod", dockerHost="ssh://ops@monitoring.example")
    assert graph.named("docker").inputs["host"] == "ssh://ops@monitoring.example"


@pytest.mark.parametrize("stack", STACKS)
def test_every_resource_belongs_to_the_stacks_component(stack: str) -> None:
    graph = plain(stack)
    parents = {resource.urn: resource.parent for resource in graph.resources}
    (top,) = [resource.urn for resource in graph.resources if resource.type == "monitoring:index:MonitoringStack"]
    for urn in parents:
        while urn != top:
            assert urn in parents, f"{urn} belongs to nothing"
            urn = parents[urn]


# What is kept


def test_the_data_volumes_of_prod_are_protected_and_survive_the_stack() -> None:
    volumes = plain("prod").of(VOLUME)
    for service in DATA_VOLUMES["prod"]:
        assert volumes[f"monitoring-prod-{service}"].protect
        assert volumes[f"monitoring-prod-{service}"].retain_on_delete


@pytest.mark.parametrize("stack", ["dev", "pr-7"])
def test_nothing_else_outlives_its_stack(stack: str) -> None:
    docker = [resource for resource in plain(stack).resources if resource.type.startswith("docker:")]
    assert [resource.name for resource in docker if resource.protect or resource.retain_on_delete] == []


def test_prod_protects_nothing_but_data() -> None:
    protected = {resource.inputs["name"] for resource in plain("prod").resources if resource.protect}
    assert protected == {f"monitoring-prod-{service}" for service in DATA_VOLUMES["prod"]}


@pytest.mark.parametrize("stack", STACKS)
def test_every_data_volume_is_mounted_writable_by_its_service_alone(stack: str) -> None:
    users: dict[str, list[str]] = {}
    for service, container in containers(plain(stack), stack).items():
        for mount in container.inputs.get("mounts", []):
            if mount["type"] == "volume" and not mount.get("readOnly"):
                users.setdefault(mount["source"], []).append(service)
    assert users == {f"monitoring-{stack}-{name}": [name] for name in DATA_VOLUMES[stack] | CONFIG_VOLUMES}


@pytest.mark.parametrize("stack", STACKS)
def test_images_stay_on_the_host_for_other_stacks(stack: str) -> None:
    images = plain(stack).of(IMAGE).values()
    assert all(image.inputs["keepLocally"] is True for image in images)


# Who can be reached


def published(graph: Graph, stack: str) -> dict[tuple[str, int], tuple[str, int]]:
    """(service, container port) -> (address, host port)."""
    return {
        (service, int(port["internal"])): (port["ip"], int(port["external"]))
        for service, container in containers(graph, stack).items()
        for port in container.inputs.get("ports", [])
    }


def test_only_the_user_interfaces_are_published() -> None:
    assert published(plain("dev"), "dev") == {
        ("prometheus", 9090): ("127.0.0.1", 9090),
        ("alertmanager", 9093): ("127.0.0.1", 9093),
        ("grafana", 3000): ("127.0.0.1", 3000),
        ("loki", 3100): ("127.0.0.1", 3100),
    }
    assert published(plain("pr-7"), "pr-7") == {
        ("prometheus", 9090): ("127.0.0.1", 20070),
        ("alertmanager", 9093): ("127.0.0.1", 20071),
        ("grafana", 3000): ("127.0.0.1", 20072),
        ("loki", 3100): ("127.0.0.1", 20073),
    }


def test_they_are_published_on_the_address_and_ports_that_are_configured() -> None:
    graph = graph_of("prod", bindAddress="10.1.2.3", prometheusPort="19090")
    assert published(graph, "prod") == {
        ("prometheus", 9090): ("10.1.2.3", 19090),
        ("alertmanager", 9093): ("10.1.2.3", 9093),
        ("grafana", 3000): ("10.1.2.3", 3000),
        ("loki", 3100): ("10.1.2.3", 3100),
    }


def networks(graph: Graph, stack: str) -> dict[str, list[str]]:
    """Service -> names of its networks, the stack's own without the prefix."""
    return {
        service: [network["name"].removeprefix(f"monitoring-{stack}-") for network in c.inputs["networksAdvanced"]]
        for service, c in containers(graph, stack).items()
    }


# Who asks Docker meets nobody else there but the proxy that answers, which meets nobody but them.
ASKING_DOCKER = {"alloy": ["core", "engine"], "cadvisor": ["core", "engine"], "docker-proxy": ["engine"]}


@pytest.mark.parametrize("stack", ["dev", "pr-7"])
def test_in_a_demo_only_the_user_interfaces_are_on_the_network_that_leads_out(stack: str) -> None:
    for service, joined in networks(plain(stack), stack).items():
        expected = ["core", "edge"] if service in INTERFACES else ["core"]
        assert joined == ASKING_DOCKER.get(service, expected), service


def test_in_prod_the_exporters_of_the_backend_are_on_the_network_that_leads_out_too() -> None:
    out = INTERFACES | {"postgres-exporter", "postgres-replica-1-exporter", "redis-exporter"}
    for service, joined in networks(plain("prod"), "prod").items():
        assert joined == ASKING_DOCKER.get(service, ["core", "edge"] if service in out else ["core"]), service


def test_what_speaks_to_the_backend_joins_its_network() -> None:
    graph = graph_of("prod", dockerNetwork="supabase_default")
    speakers = {"prometheus", "postgres-exporter", "postgres-replica-1-exporter", "redis-exporter"}
    joined = {service for service, names in networks(graph, "prod").items() if "supabase_default" in names}
    assert joined == speakers
    # It is somebody else's: not ours to make, and no place for names that may be taken there.
    assert set(graph.of(NETWORK)) == {f"monitoring-prod-{name}" for name in ("core", "edge", "engine")}
    for service in speakers:
        container = containers(graph, "prod")[service].inputs
        assert "hostname" not in container
        assert [network for network in container["networksAdvanced"] if network.get("aliases")] == [
            {"name": "monitoring-prod-core", "aliases": [service]}
        ]


@pytest.mark.parametrize("stack", STACKS)
def test_every_service_answers_to_its_name_in_the_core_network(stack: str) -> None:
    for service, container in services(plain(stack), stack).items():
        first = container.inputs["networksAdvanced"][0]
        assert first["name"] == f"monitoring-{stack}-{'engine' if service == 'docker-proxy' else 'core'}"
        assert service in first["aliases"]
    if stack != "prod":
        demo = services(plain(stack), stack)["demo"].inputs["networksAdvanced"][0]
        assert demo["aliases"] == ["app", "demo", "kong", "realtime", "websocket"]


# What a container may do


@pytest.mark.parametrize("stack", STACKS)
def test_every_container_drops_all_capabilities_but_those_with_a_reason(stack: str) -> None:
    for service, container in containers(plain(stack), stack).items():
        capabilities = container.inputs["capabilities"]
        assert capabilities["drops"] == ["ALL"], service
        assert capabilities.get("adds", []) == CAPABILITIES.get(service, []), service


@pytest.mark.parametrize("stack", STACKS)
def test_no_container_gains_privileges(stack: str) -> None:
    for service, container in containers(plain(stack), stack).items():
        assert container.inputs["securityOpts"] == ["no-new-privileges:true"], service
        assert not container.inputs.get("privileged"), service
        assert not container.inputs.get("networkMode"), service
        assert not container.inputs.get("pidMode"), service


@pytest.mark.parametrize("stack", STACKS)
def test_only_what_reads_roots_files_runs_as_root(stack: str) -> None:
    root = {service for service, c in containers(plain(stack), stack).items() if c.inputs["user"].startswith("0:")}
    writers = {"prometheus-config", "alertmanager-config", "loki-config", "alloy-config"}
    assert root == {"cadvisor", "alloy", "docker-proxy", "alloy-check", "docker-proxy-check"} | writers


@pytest.mark.parametrize("stack", STACKS)
def test_the_host_is_mounted_read_only(stack: str) -> None:
    binding = set()
    for service, container in containers(plain(stack), stack).items():
        binds = [mount for mount in container.inputs.get("mounts", []) if mount["type"] == "bind"]
        assert all(mount["readOnly"] for mount in binds), service
        binding |= {service} if binds else set()
    assert binding == {"cadvisor", "node-exporter", "alloy", "docker-proxy"}


@pytest.mark.parametrize("stack", STACKS)
def test_docker_is_asked_through_the_proxy_alone(stack: str) -> None:
    for agent in ("alloy", "promtail"):
        for service, container in containers(graph_of(stack, logAgent=agent), stack).items():
            sources = [mount["source"] for mount in container.inputs.get("mounts", []) if mount["type"] == "bind"]
            near = [
                path for path in sources if "docker.sock" in path or path.rstrip("/") in ("/run", "/var/run", "/var")
            ]
            assert near == (["/var/run/docker.sock"] if service == "docker-proxy" else []), service
            # The host's whole file system would bring the sockets along; whoever could use them must not see them.
            if "/" in sources and container.inputs["user"].startswith("0:"):
                (host,) = [mount["target"] for mount in container.inputs["mounts"] if mount["source"] == "/"]
                assert f"{host}/run" in container.inputs["tmpfs"], service


@pytest.mark.parametrize("stack", STACKS)
def test_a_root_file_system_is_writable_only_where_files_are_put_into_it(stack: str) -> None:
    for service, container in services(plain(stack), stack).items():
        assert container.inputs["readOnly"] is not bool(container.inputs.get("uploads")), service


# How a container is run


@pytest.mark.parametrize("stack", STACKS)
def test_memory_is_limited_and_so_is_swap(stack: str) -> None:
    for service, container in containers(plain(stack), stack).items():
        assert container.inputs["memory"] == container.inputs["memorySwap"] >= 64, service


def test_a_memory_limit_can_be_changed() -> None:
    graph = graph_of("prod", memory='{"loki": 3000, "postgres-exporter": 99}')
    found = containers(graph, "prod")
    assert found["loki"].inputs["memory"] == found["loki"].inputs["memorySwap"] == 3000
    assert found["postgres-exporter"].inputs["memory"] == found["postgres-replica-1-exporter"].inputs["memory"] == 99


@pytest.mark.parametrize("stack", STACKS)
def test_logs_are_rotated(stack: str) -> None:
    for service, container in containers(plain(stack), stack).items():
        size = "1m" if service in SHORT_LIVED else "10m"
        files = "1" if service in SHORT_LIVED else "3"
        assert container.inputs["logDriver"] == "json-file", service
        assert container.inputs["logOpts"] == {"max-size": size, "max-file": files}, service


@pytest.mark.parametrize("stack", STACKS)
def test_every_service_is_checked_restarted_and_waited_for(stack: str) -> None:
    for service, container in services(plain(stack), stack).items():
        health = container.inputs["healthcheck"]
        assert health["tests"][0] == "CMD", service
        assert len(health["tests"]) > 1, service
        assert container.inputs["wait"] is True, service
        assert container.inputs["restart"] == "unless-stopped", service


def test_health_is_asked_for_sooner_while_a_container_starts_only_where_the_engine_is_said_to_know_how() -> None:
    """An engine before 25 refuses a container that has such an interval."""
    for container in services(plain("prod"), "prod").values():
        assert "startInterval" not in container.inputs["healthcheck"]
    for container in services(graph_of("prod", healthStartInterval="1s"), "prod").values():
        assert container.inputs["healthcheck"]["startInterval"] == "1s"


@pytest.mark.parametrize("stack", STACKS)
def test_every_service_gets_time_to_stop_and_what_holds_much_gets_more(stack: str) -> None:
    for service, container in services(plain(stack), stack).items():
        grace = container.inputs["destroyGraceSeconds"]
        assert grace == container.inputs["stopTimeout"], service
        assert grace >= (30 if service in {"prometheus", "loki", "postgres", "postgres-replica"} else 10), service


@pytest.mark.parametrize("stack", STACKS)
def test_what_only_runs_once_is_waited_for_and_its_output_kept(stack: str) -> None:
    found = containers(plain(stack), stack)
    for name in SHORT_LIVED:
        inputs = found[name].inputs
        assert (inputs["mustRun"], inputs["attach"], inputs["logs"], inputs["restart"]) == (False, True, True, "no"), (
            name
        )
        assert "healthcheck" not in inputs, name


@pytest.mark.parametrize("stack", STACKS)
def test_every_container_and_network_says_whose_it_is(stack: str) -> None:
    components = {
        "node-exporter": "system",
        "cadvisor": "docker",
        "redis": "redis",
        "redis-exporter": "redis",
        "demo": "business",
        "nginx": "api_gateway",
        "blackbox-exporter": "api_gateway",
        **dict.fromkeys(["postgres", "postgres-replica", "postgres-exporter"], "database"),
        **dict.fromkeys(["postgres-replica-exporter", "postgres-replica-1-exporter"], "database"),
    }
    for service, container in containers(plain(stack), stack).items():
        assert {label["label"]: label["value"] for label in container.inputs["labels"]} == {
            "monitoring.project": "monitoring",
            "monitoring.stack": stack,
            "monitoring.service": service,
            "monitoring.component": components.get(service, "monitoring"),
        }
    for network in plain(stack).of(NETWORK).values():
        assert {label["label"]: label["value"] for label in network.inputs["labels"]} == {
            "monitoring.project": "monitoring",
            "monitoring.stack": stack,
        }


def test_thirty_days_are_kept() -> None:
    found = containers(plain("dev"), "dev")
    assert "--storage.tsdb.retention.time=30d" in found["prometheus"].inputs["command"]
    (loki,) = [upload for upload in found["loki"].inputs["uploads"] if upload["file"] == "/etc/loki/loki.yaml"]
    assert "retention_period: 720h" in loki["content"]


# Secrets


def without_secrets(value: Any) -> Any:
    """A value of `wire` without what is marked as a secret."""
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    if isinstance(value, dict):
        return (
            None
            if secret_values([value]) == [value.get("value")]
            else {k: without_secrets(v) for k, v in value.items()}
        )
    return value


@pytest.mark.parametrize("stack", STACKS)
def test_no_secret_reaches_the_engine_in_clear(stack: str) -> None:
    for resource in plain(stack).resources:
        text = json.dumps(without_secrets(dict(resource.wire)))
        assert [key for key, secret in SECRETS.items() if secret in text] == [], resource.name


@pytest.mark.parametrize("stack", STACKS)
def test_no_secret_is_among_what_docker_inspect_shows(stack: str) -> None:
    for service, container in containers(plain(stack), stack).items():
        text = json.dumps({key: value for key, value in container.inputs.items() if key != "uploads"})
        assert [key for key, secret in SECRETS.items() if secret in text] == [], service


def secret_files(graph: Graph, stack: str) -> dict[str, list[str]]:
    """Service -> paths of the files whose content is marked as a secret."""
    found: dict[str, list[str]] = {}
    for service, container in containers(graph, stack).items():
        for upload in container.wire.get("uploads", []):
            if secret_values(upload["content"]):
                found.setdefault(service, []).append(upload["file"])
    return found


DEMO_SECRETS = {
    "prometheus": ["/run/config/realtime_token"],
    "alertmanager": [
        "/run/config/heartbeat_url",
        "/run/config/pagerduty_service_key",
        "/run/config/slack_webhook_url",
        "/run/config/smtp_password",
    ],
    "grafana": ["/run/config/admin_password"],
    "postgres-exporter": ["/run/config/postgres_password"],
    "postgres-replica-exporter": ["/run/config/postgres_password"],
    "redis-exporter": ["/run/config/redis_passwords.json"],
    "redis": ["/run/config/secrets/redis_password"],
    **dict.fromkeys(
        ["postgres", "postgres-replica"],
        [
            "/run/config/secrets/exporter_password",
            "/run/config/secrets/postgres_password",
            "/run/config/secrets/replicator_password",
        ],
    ),
    "demo": [
        "/run/config/secrets/postgres_password",
        "/run/config/secrets/realtime_secret",
        "/run/config/secrets/redis_password",
    ],
}


def test_secrets_are_in_these_files_alone() -> None:
    assert secret_files(plain("dev"), "dev") == DEMO_SECRETS
    assert secret_files(plain("pr-7"), "pr-7") == DEMO_SECRETS
    prod = {service: files for service, files in DEMO_SECRETS.items() if service in SERVICES["prod"] | SHORT_LIVED}
    assert secret_files(plain("prod"), "prod") == {
        **prod,
        "postgres-replica-1-exporter": ["/run/config/postgres_password"],
    }


@pytest.mark.parametrize("stack", STACKS)
def test_a_file_with_a_secret_is_for_its_user_and_group_alone(stack: str) -> None:
    for service, container in containers(plain(stack), stack).items():
        for upload in container.wire.get("uploads", []):
            mode = "0440" if secret_values(upload["content"]) else "0644"
            assert upload["permissions"] == mode, (service, upload["file"])
        if any(secret_values(upload["content"]) for upload in container.wire.get("uploads", [])):
            root = container.inputs["user"].startswith("0:")
            assert root or container.inputs["groupAdds"] == ["0"], f"{service} could not read its secrets"


# What waits for what


@pytest.mark.parametrize("stack", STACKS)
def test_every_container_waits_for_its_image_and_runs_it(stack: str) -> None:
    graph = plain(stack)
    images = {image.urn: image for image in graph.of(IMAGE).values()}
    for service, container in containers(graph, stack).items():
        (image,) = [images[urn] for urn in container.dependencies if urn in images]
        assert container.inputs["image"] == image.inputs["name"], service


@pytest.mark.parametrize("stack", STACKS)
def test_a_service_waits_until_its_configuration_was_checked_and_written(stack: str) -> None:
    graph = plain(stack)
    assert {"prometheus-config-writer", "prometheus-data"} <= graph.needs("prometheus-container")
    assert {"alertmanager-config-writer", "alertmanager-data"} <= graph.needs("alertmanager-container")
    assert {"loki-check", "loki-config-writer", "loki-data"} <= graph.needs("loki-container")
    assert "alloy-check" in graph.needs("alloy-config-writer")
    assert "alloy-config-writer" in graph.needs("alloy-container")


@pytest.mark.parametrize("stack", STACKS)
def test_no_service_waits_for_another(stack: str) -> None:
    """Each link would cost the time of a first health check, and all of them find each other again by themselves."""
    graph = plain(stack)
    running = {container.name for container in services(graph, stack).values()}
    for service in services(graph, stack):
        assert not graph.needs(f"{service}-container") & running, service


@pytest.mark.parametrize("stack", STACKS)
def test_a_writer_does_not_wait_for_the_address_of_a_service_that_is_stopped(stack: str) -> None:
    for service in ("prometheus", "alertmanager", "loki", "alloy"):
        writer = containers(plain(stack), stack)[f"{service}-config"].inputs
        assert (writer["dns"], writer["dnsOpts"]) == (["127.0.0.1"], ["timeout:1", "attempts:1"])


def test_a_changed_configuration_changes_the_writer_and_not_the_service() -> None:
    changed = graph_of(
        "dev",
        thresholds='{"cpu_usage:ratio": 0.5, "log_errors:count": 7}',
        smtpHost="smtp.example",
        smtpFrom="other@example.org",
        logContainers='{"redis": "other-redis"}',
    )
    for service in ("prometheus", "alertmanager", "loki", "alloy"):
        before, after = plain("dev").named(f"{service}-container"), changed.named(f"{service}-container")
        assert after.wire == before.wire
        before, after = plain("dev").named(f"{service}-config-writer"), changed.named(f"{service}-config-writer")
        assert after.wire != before.wire


# Images, the log agent, Grafana


def test_images_are_those_of_the_file_unless_the_stack_overrides_them() -> None:
    graph = graph_of(
        "dev",
        imageOverrides='{"demo": "registry.example/demo:1", "redis": "registry.example/redis:7.2@sha256:'
        + "0" * 64
        + '"}',
    )
    found = containers(graph, "dev")
    assert found["redis"].inputs["image"] == "registry.example/redis:7.2@sha256:" + "0" * 64
    assert found["demo"].inputs["image"] == "registry.example/demo:1"
    assert found["prometheus"].inputs["image"].startswith("docker.io/prom/prometheus:v3.")
    assert found["prometheus-config"].inputs["image"] == found["prometheus"].inputs["image"]


def test_promtail_takes_alloys_place_where_somebody_must_stay_with_it() -> None:
    graph = graph_of("dev", logAgent="promtail")
    found = containers(graph, "dev")
    alloy = {"alloy", "alloy-check", "alloy-config"}
    assert set(found) == (SERVICES["dev"] | SHORT_LIVED | {"promtail", "promtail-check"}) - alloy
    promtail = found["promtail"].inputs
    assert promtail["capabilities"]["adds"] == CAPABILITIES["promtail"]
    assert [upload["file"] for upload in promtail["uploads"]] == ["/etc/promtail/promtail.yaml"]
    assert "promtail-check" in graph.needs("promtail-container")
    assert "monitoring-dev-promtail" in graph.of(VOLUME)
    assert "alloy-image" not in {resource.name for resource in graph.resources}


def test_one_agent_is_a_new_version_of_the_other() -> None:
    """So the other is stopped first, and the volume of its positions stays."""
    for agent, other in (("alloy", "promtail"), ("promtail", "alloy")):
        graph = graph_of("dev", logAgent=agent)
        # Pulumi's engine gives what belongs to a component the like of its alias: alloy-data, promtail-data.
        (component,) = [found for found in graph.resources if found.type == f"monitoring:service:{agent.capitalize()}"]
        assert component.aliases == ((f"monitoring:service:{other.capitalize()}", other),)
        assert graph.named(f"{agent}-data").ignore_changes == ("name",)


def test_containerd_is_asked_only_where_the_stack_says_so() -> None:
    graph = graph_of("prod", containerdSocket="/run/docker/containerd/containerd.sock")
    mounts = {mount["source"]: mount["target"] for mount in containers(graph, "prod")["cadvisor"].inputs["mounts"]}
    assert mounts["/run/docker/containerd/containerd.sock"] == "/run/containerd/containerd.sock"


def test_the_journal_is_read_where_the_host_has_one() -> None:
    def mounted(**changes: str) -> set[str]:
        mounts = containers(graph_of("dev", **changes), "dev")["alloy"].inputs["mounts"]
        return {mount["source"] for mount in mounts if mount["type"] == "bind"}

    assert mounted() == mounted(hostJournal="/var/log/journal") == {"/var/log"}
    assert mounted(hostJournal="/run/log/journal") == {"/var/log", "/run/log/journal"}


def grafana_resources(graph: Graph) -> list[Registration]:
    """What belongs to the Grafana provider."""
    return [resource for resource in graph.resources if resource.type.startswith("grafana:")]


def test_a_grafana_of_the_stacks_own_gets_its_content() -> None:
    graph = plain("dev")
    resources = grafana_resources(graph)
    kinds = [resource.type.rpartition(":")[2] for resource in resources]
    assert (kinds.count("DataSource"), kinds.count("Dashboard"), kinds.count("Folder")) == (3, 5, 1)
    assert {resource.provider for resource in resources} == {graph.named("grafana").urn}
    assert graph.named("grafana").inputs["url"] == "http://127.0.0.1:3000"
    for resource in resources:
        assert "grafana-container" in graph.needs(resource.name), resource.name
    assert graph.outputs["grafana"] == "http://127.0.0.1:3000"


def test_an_external_grafana_gets_the_content_and_no_container() -> None:
    graph = graph_of("prod", grafanaMode="external", grafanaUrl="https://grafana.example")
    assert set(containers(graph, "prod")) == (SERVICES["prod"] | SHORT_LIVED) - {"grafana"}
    assert "monitoring-prod-grafana" not in graph.of(VOLUME)
    assert graph.named("grafana").inputs["url"] == "https://grafana.example"
    kinds = [resource.type.rpartition(":")[2] for resource in grafana_resources(graph)]
    assert (kinds.count("DataSource"), kinds.count("Dashboard"), kinds.count("Folder")) == (3, 5, 1)
    assert graph.outputs["grafana"] == "https://grafana.example"


def test_without_grafana_there_is_nothing_of_it() -> None:
    graph = graph_of("dev", grafanaMode="none")
    assert set(containers(graph, "dev")) == (SERVICES["dev"] | SHORT_LIVED) - {"grafana"}
    assert [resource.name for resource in graph.resources if "grafana" in resource.type.lower()] == []
    assert "grafana-image" not in {resource.name for resource in graph.resources}
    assert "grafana" not in graph.outputs


def test_the_addresses_of_the_user_interfaces_are_given() -> None:
    assert plain("pr-7").outputs == {
        "prometheus": "http://127.0.0.1:20070",
        "alertmanager": "http://127.0.0.1:20071",
        "grafana": "http://127.0.0.1:20072",
        "loki": "http://127.0.0.1:20073",
    }


# The gate: a configuration that its service's own tool refuses


@pytest.mark.parametrize(
    ("gate", "service"),
    [
        ("prometheus-config-writer", "prometheus"),
        ("alertmanager-config-writer", "alertmanager"),
        ("loki-check", "loki"),
        ("alloy-check", "alloy"),
        ("alloy-config-writer", "alloy"),
    ],
)
def test_a_refused_configuration_fails_the_update_and_leaves_the_service_alone(gate: str, service: str) -> None:
    graph, settings = Graph(), settings_of("dev")
    with pytest.raises(pulumi.RunError) as caught:
        record(lambda: declare(settings), "dev", exits={gate: (1, "  line 3: bad rule\n")}, graph=graph)
    assert str(caught.value) == f"the configuration of {service} was refused (exit code 1):\nline 3: bad rule"
    assert gate in {resource.name for resource in graph.resources}
    assert f"{service}-container" not in {resource.name for resource in graph.resources}


def test_a_preview_that_cannot_know_the_exit_code_holds_nothing_back() -> None:
    settings = settings_of("dev")
    graph = record(lambda: declare(settings), "dev", preview=True)
    assert {resource.name for resource in graph.resources} == {resource.name for resource in plain("dev").resources}


def test_a_preview_shows_every_value_of_a_container() -> None:
    """What is unknown until the update would hide a change from whoever reads the preview."""
    settings = settings_of("dev")
    graph = record(lambda: declare(settings), "dev", preview=True)
    for name, container in graph.of(CONTAINER).items():
        assert container.wire == plain("dev").of(CONTAINER)[name].wire, name


# Plain Pulumi


CONFIGURATION = {f"monitoring:{key}": value for key, value in {**DEMO, **SECRETS}.items()}
SECRET_KEYS = [f"monitoring:{key}" for key in SECRETS]


def test_pulumis_configuration_makes_the_stack() -> None:
    graph = record(program, "dev", configuration=CONFIGURATION, secret_keys=SECRET_KEYS)
    assert set(graph.of(CONTAINER)) == set(plain("dev").of(CONTAINER))


def test_the_main_program_does_the_same() -> None:
    def main() -> None:
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")

    graph = record(main, "dev", configuration=CONFIGURATION, secret_keys=SECRET_KEYS)
    assert set(graph.of(CONTAINER)) == set(plain("dev").of(CONTAINER))


def refused(configuration: Mapping[str, str], secret_keys: list[str], stack: str = "dev") -> str:
    """The message with which the program refuses this configuration, before any resource is declared."""
    graph = Graph()
    with pytest.raises(pulumi.RunError) as caught:
        record(program, stack, configuration=configuration, secret_keys=secret_keys, graph=graph)
    assert graph.resources == []
    return str(caught.value)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's own settings reaches the program."""
    for variable in environment_variables().values():
        monkeypatch.delenv(variable, raising=False)


def test_a_wrong_setting_stops_the_program_before_anything_is_declared() -> None:
    unknown = refused({**CONFIGURATION, "monitoring:scrapeIntervall": "10s"}, SECRET_KEYS)
    assert unknown.startswith("monitoring:scrapeIntervall is not a key")
    missing = {key: value for key, value in CONFIGURATION.items() if key != "monitoring:redisPassword"}
    assert refused(missing, SECRET_KEYS).startswith("monitoring:redisPassword is missing")
    assert refused(CONFIGURATION, SECRET_KEYS, "My Stack").startswith("stack name 'My Stack' cannot become")


def test_a_secret_in_clear_stops_the_program_before_anything_is_declared() -> None:
    message = refused(CONFIGURATION, [key for key in SECRET_KEYS if key != "monitoring:redisPassword"])
    assert message.startswith("monitoring:redisPassword is a secret stored in clear")
    assert SECRETS["redisPassword"] not in message


def test_an_image_that_nobody_has_built_is_built_by_pulumi() -> None:
    """With plain Pulumi; where `ops` or somebody else names an image, that one is used."""
    image = graph_of("dev", imageOverrides="{}").named("demo-image").inputs
    assert image["build"]["context"] == str(ROOT / "demo")
    assert image["name"].startswith("monitoring-demo:")
    assert [name for name, found in plain("dev").of(IMAGE).items() if found.inputs.get("build")] == []


def test_the_keys_of_other_projects_are_none_of_ours() -> None:
    configuration = {**CONFIGURATION, "docker:host": "unix:///var/run/docker.sock", "other:key": "value"}
    graph = record(program, "dev", configuration=configuration, secret_keys=SECRET_KEYS)
    assert graph.of(CONTAINER)
