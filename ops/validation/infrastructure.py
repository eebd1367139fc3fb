"""The ground that the services stand on, in ten checks: what is really so on the engine, and not what was asked for."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import docker
from cryptography import x509

from config.labels import SERVICE_LABEL, STACK_LABEL
from config.settings import Settings
from images.catalogue import image_keys_of, references
from ops.stack.engine import look
from ops.validation.check import Check, query

# The services that keep data in a volume of their own name, in every stack. (An agent's may have the other one's name.)
_KEEP = ("prometheus", "alertmanager", "loki")
# Those that people reach.
_PUBLISH = frozenset({"prometheus", "alertmanager", "grafana", "loki"})
_INTERNAL = ("core", "engine")
# Free bytes below which databases and Loki may stop to write at any moment.
_DISK_LEAST = 1024**3
# Seconds that two clocks may differ.
_CLOCKS = 2.0
_EXPIRES_SOON = timedelta(days=30)
_BACKUPS = "this stack makes no backups; the age of PostgreSQL's WAL archive and of Redis' snapshots has alerts"


def checks(settings: Settings, engine: docker.DockerClient) -> Iterator[Check]:
    """See the module."""
    asked = time.time()
    info = engine.api.info()
    answered = time.time()
    listed = engine.api.containers(all=True, filters={"label": [f"{STACK_LABEL}={settings.stack}"]})
    there = [each for each in look(engine, settings.stack).containers.values() if each.runs]
    inspected = {each.name: engine.api.inspect_container(each.id) for each in there}
    mend = f"ops up --stack {settings.stack}"
    yield _engine(info)
    yield _isolation(settings, engine, listed, mend)
    yield volumes(settings, inspected, mend)
    yield limits(inspected, mend)
    yield pins(settings, inspected, mend)
    yield secrets(settings, inspected)
    yield certificates(settings.alerting.ca)
    yield clock(datetime.fromisoformat(str(info["SystemTime"])).timestamp(), asked, answered)
    yield _disk(settings, str(info["DockerRootDir"]))
    yield Check.skip("backups", _BACKUPS)


def _engine(info: Mapping[str, Any]) -> Check:
    missing = [what for what in ("MemoryLimit", "SwapLimit", "PidsLimit") if info.get(what) is False]
    return Check.of(
        "engine",
        "MemoryLimit" not in missing,
        f"Docker {info['ServerVersion']}, {info['Driver']}, cgroup v{info.get('CgroupVersion', '1')}"
        + (f"; it cannot keep: {', '.join(missing)}" if missing else ""),
        expected="an engine that keeps the memory limits of containers",
        hint="switch on the memory controller of the host's kernel: cgroup_enable=memory on its command line",
    )


def _isolation(settings: Settings, engine: docker.DockerClient, listed: list[dict[str, Any]], mend: str) -> Check:
    """Only the user interfaces are published, on the address that is configured; inner networks lead nowhere."""
    networks = {each["Name"]: each for each in engine.api.networks(filters={"name": settings.name("")})}
    wrong = [
        f"network {settings.name(name)} leads out"
        for name in _INTERNAL
        if not networks.get(settings.name(name), {}).get("Internal", True)
    ]
    for each in listed:
        service = each["Labels"].get(SERVICE_LABEL, "")
        for port in each["Ports"] or []:
            address = port.get("IP")
            if address and (service not in _PUBLISH or address != settings.bind_address):
                wrong.append(f"{service} publishes {port['PrivatePort']} on {address}:{port['PublicPort']}")
    return Check.of(
        "network isolation",
        not wrong,
        "; ".join(sorted(wrong)) or f"only the user interfaces are published, on {settings.bind_address}",
        expected=f"nothing is published but {', '.join(sorted(_PUBLISH))}, on {settings.bind_address}",
        hint=f"remove the container or the network that is named, if somebody made it by hand; then: {mend}",
    )


def volumes(settings: Settings, inspected: Mapping[str, Mapping[str, Any]], mend: str) -> Check:
    """What must be kept lies in the stack's own volumes; nothing lies in one without a name. `inspected`: by name."""
    wrong = []
    for name, container in inspected.items():
        kept = [mount.get("Name", "") for mount in container["Mounts"] if mount["Type"] == "volume"]
        wrong += [f"{name} writes into the unnamed volume {volume[:12]}" for volume in kept if _is_unnamed(volume)]
        if name in map(settings.name, _KEEP) and name not in kept:
            wrong.append(f"{name} has no volume {name}: its data is lost with it")
    return Check.of(
        "volumes",
        not wrong,
        "; ".join(wrong) or "data lies in volumes that have a name",
        expected="each container's data is in volumes of the stack",
        hint=f"remove the container that is named (docker rm -f -v NAME), then: {mend}",
    )


def limits(inspected: Mapping[str, Mapping[str, Any]], mend: str) -> Check:
    """Every container has a limit of memory, no privilege, and may gain none."""
    wrong = []
    for name, container in inspected.items():
        host = container["HostConfig"]
        lacks = [
            *(["no memory limit"] if not host.get("Memory") else []),
            *(["privileged"] if host.get("Privileged") else []),
            *(["keeps capabilities"] if "ALL" not in (host.get("CapDrop") or ()) else []),
            *(["may gain privileges"] if "no-new-privileges:true" not in (host.get("SecurityOpt") or ()) else []),
        ]
        wrong += [f"{name}: {', '.join(lacks)}"] if lacks else []
    return Check.of(
        "limits",
        not wrong,
        "; ".join(wrong) or f"{len(inspected)} containers have a memory limit and no privilege",
        expected="every container has a memory limit, drops all capabilities, and may gain no privilege",
        hint=f"it was started or changed by hand: docker rm -f NAME, then: {mend}",
    )


def pins(settings: Settings, inspected: Mapping[str, Mapping[str, Any]], mend: str) -> Check:
    """Every container runs one of the very images that the stack is made of, none of them by a tag that moves."""
    wanted = set(references(settings, image_keys_of(settings)).values())
    wrong = [
        f"{name} runs {container['Config']['Image']}"
        for name, container in inspected.items()
        if container["Config"]["Image"] not in wanted
    ]
    moving = sorted(image for image in wanted if _moves(image))
    return Check.of(
        "image pins",
        not wrong and not moving,
        "; ".join([*wrong, *(f"{image} has no fixed version" for image in moving)])
        or f"{len(wanted)} images, all ours",
        expected="every container runs an image of config/images.yaml (or imageOverrides), by a fixed version",
        hint=f"{mend} replaces what runs another image; ops images list says what is wanted",
    )


def secrets(settings: Settings, inspected: Mapping[str, Mapping[str, Any]]) -> Check:
    """No secret stands where `docker inspect` shows it: they reach containers as files."""
    known = _secrets(settings)
    wrong = []
    for name, container in inspected.items():
        shown = json.dumps([container["Config"].get(part) for part in ("Env", "Cmd", "Entrypoint", "Labels")])
        wrong += [f"{name} shows {key}" for key, secret in known.items() if secret and secret in shown]
    return Check.of(
        "secrets' files",
        not wrong,
        "; ".join(wrong) or f"none of {sum(map(bool, known.values()))} secrets is in a container's description",
        expected="secrets are files, and in no variable, argument or label",
        hint="remove that container (docker rm -f NAME), and change the secret: everybody who may ask Docker knows it",
    )


def certificates(pem: str, now: datetime | None = None) -> Check:
    """The certificates that the stack was given have not expired, and do not soon. `pem`: those of receiverCa."""
    if not pem:
        return Check.skip("certificates", "the stack was given none (receiverCa)")
    now = now or datetime.now(UTC)
    ends = {
        each.subject.rfc4514_string(): each.not_valid_after_utc
        for each in x509.load_pem_x509_certificates(pem.encode())
    }
    wrong = [f"{name} ends {end:%Y-%m-%d}" for name, end in ends.items() if end - now < _EXPIRES_SOON]
    return Check.of(
        "certificates",
        not wrong,
        "; ".join(wrong) or f"{len(ends)} valid until {min(ends.values()):%Y-%m-%d}",
        expected=f"valid for {_EXPIRES_SOON.days} days more",
        hint="get a new one from whoever runs the authority, and set it: ops config set receiverCa",
    )


def clock(told: float, asked: float, answered: float) -> Check:
    """The engine's clock, which told this time between two moments of this machine's; all in seconds since 1970."""
    away = max(asked - told, told - answered, 0)
    return Check.of(
        "clock",
        away < _CLOCKS,
        f"{away:.1f} s between the engine's clock and this machine's",
        expected=f"less than {_CLOCKS:.0f} s",
        hint="set the clock that is wrong: follow docs/runbooks/ClockSkew.md",
    )


def _disk(settings: Settings, root: str) -> Check:
    """How full the file system is that Docker's data lies on, by node_exporter.

    One that is nearly full has an alert; here it fails only where the services can soon write nothing more.
    """
    left = {
        each["metric"]["mountpoint"]: float(each["value"][1])
        for each in query(settings.prometheus.url, "node_filesystem_avail_bytes")
    }
    places = [place for place in left if f"{root}/".startswith(f"{place.rstrip('/')}/")]
    if not places:
        return Check.skip("disk", f"node_exporter tells of no file system that {root} lies on")
    place = max(places, key=len)
    return disk(place, left[place])


def disk(place: str, free: float) -> Check:
    """Whether `free` bytes at the mount point `place` are enough to write for a while."""
    return Check.of(
        "disk",
        free >= _DISK_LEAST,
        f"{free / 1024**3:.1f} GiB free on {place}",
        expected=f"at least {_DISK_LEAST // 1024**3} GiB",
        hint="follow docs/runbooks/DiskSpaceLow.md",
        needs=("prometheus", "job node", "node-exporter"),
    )


def _secrets(settings: Settings) -> dict[str, str]:
    """Key -> secret of everything that the stack was given."""
    alerting, backend, grafana = settings.alerting, settings.backend, settings.grafana
    given = {
        "postgresPassword": backend.postgres_password,
        "redisPassword": backend.redis.password if backend.redis else None,
        "realtimeMetricsSecret": backend.realtime_secret,
        "grafanaAdminPassword": grafana.admin_password,
        "grafanaToken": grafana.token,
        "smtpPassword": alerting.smtp_password,
        "slackWebhookUrl": alerting.slack_webhook_url,
        "pagerdutyServiceKey": alerting.pagerduty_service_key,
        "heartbeatUrl": alerting.heartbeat_url,
        **{f"receiverSecrets.{key}": secret for key, secret in alerting.receiver_secrets.items()},
    }
    return {key: secret.get_secret_value() if secret else "" for key, secret in given.items()}


def _is_unnamed(volume: str) -> bool:
    return len(volume) == 64 and not set(volume) - set("0123456789abcdef")


def _moves(image: str) -> bool:
    """Whether a reference names no version, or one that is another image tomorrow."""
    name = image.rpartition("/")[2]
    return "@" not in name and (":" not in name or name.endswith(":latest"))
