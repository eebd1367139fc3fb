"""A compose file of the very stack: made from the resources that the program declares, not written a second time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from config.settings import Settings
from tests.unit.recording import CONTAINER, NETWORK, VOLUME, Graph, Registration


def write(graph: Graph, settings: Settings, directory: Path) -> Path:
    """Write `compose.yaml` and the files that its containers read into `directory`; gives its path.

    `graph` is what the program declares for `settings`; containers wait for each other as there.
    """
    names = {resource.urn: resource for resource in graph.resources}
    project = settings.name("").rstrip("-")
    services = {}
    for name, container in graph.of(CONTAINER).items():
        service = _service(container, directory / "files" / name)
        service["depends_on"] = {
            names[urn].inputs["name"]: {"condition": _condition(names[urn])}
            for urn in sorted(container.dependencies)
            if names[urn].type == CONTAINER
        }
        services[name] = service
    document = {
        "name": project,
        "services": services,
        "volumes": {name: {"name": name} for name in graph.of(VOLUME)},
        "networks": {
            name: {"name": name, "internal": bool(network.inputs.get("internal"))}
            for name, network in graph.of(NETWORK).items()
        },
    }
    path = directory / "compose.yaml"
    # Compose would read a `$` as the start of a variable.
    path.write_text(yaml.safe_dump(document, sort_keys=False).replace("$", "$$"))
    return path


def _condition(container: Registration) -> str:
    return "service_healthy" if container.inputs.get("mustRun", True) else "service_completed_successfully"


def _service(container: Registration, files: Path) -> dict[str, Any]:
    """One container as compose writes it."""
    given = container.inputs
    health = given.get("healthcheck")
    translated = {
        "container_name": given["name"],
        "hostname": given.get("hostname"),
        "image": given["image"],
        "pull_policy": "never",
        "entrypoint": given.get("entrypoints"),
        "command": given.get("command"),
        "user": given.get("user"),
        "group_add": given.get("groupAdds"),
        "environment": given.get("envs"),
        "volumes": [*_mounts(given), *_files(given, files)],
        "tmpfs": [f"{path}:{options}" if options else path for path, options in _tmpfs(given).items()],
        "networks": {
            network["name"]: {"aliases": network.get("aliases") or []} for network in given["networksAdvanced"]
        },
        "dns": given.get("dns"),
        "dns_opt": given.get("dnsOpts"),
        "ports": [f"{port['ip']}:{int(port['external'])}:{int(port['internal'])}" for port in given.get("ports") or []],
        # A file cannot be mounted below a root file system that is read-only, unless its directory is there.
        "read_only": bool(given.get("readOnly")) and not given.get("uploads"),
        "cap_drop": (given.get("capabilities") or {}).get("drops"),
        "cap_add": (given.get("capabilities") or {}).get("adds"),
        "devices": [f"{device['hostPath']}:{device['containerPath']}" for device in given.get("devices") or []],
        "security_opt": given.get("securityOpts"),
        "pid": given.get("pidMode"),
        "mem_limit": f"{int(given['memory'])}m",
        "memswap_limit": f"{int(given['memorySwap'])}m",
        "labels": {label["label"]: label["value"] for label in given["labels"]},
        "logging": {"driver": given["logDriver"], "options": given["logOpts"]},
        "restart": given["restart"],
        "stop_signal": given.get("stopSignal"),
        "stop_grace_period": f"{int(given['stopTimeout'])}s" if given.get("stopTimeout") else None,
        "healthcheck": {
            "test": health["tests"],
            **{
                theirs: health[ours]
                for theirs, ours in (
                    ("interval", "interval"),
                    ("timeout", "timeout"),
                    ("start_period", "startPeriod"),
                    ("start_interval", "startInterval"),
                )
                if health.get(ours)
            },
            "retries": int(health["retries"]),
        }
        if health
        else None,
    }
    return {key: value for key, value in translated.items() if value not in (None, [], {}, False)}


def _tmpfs(given: Mapping[str, Any]) -> dict[str, str]:
    """Its directories in memory. What has ended, Compose starts again with each `up`: it finds /tmp as at first."""
    ends = {"/tmp": ""} if not given.get("mustRun", True) else {}
    return {**(given.get("tmpfs") or {}), **ends}


def _mounts(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "type": mount["type"],
            "source": mount["source"],
            "target": mount["target"],
            "read_only": bool(mount.get("readOnly")),
            # Compose makes every container before it starts one: without this, the service's image would fill the
            # volume that its writer is about to fill.
            **({"volume": {"nocopy": True}} if mount["type"] == "volume" and mount.get("readOnly") else {}),
        }
        for mount in given.get("mounts") or []
    ]


def _files(given: Mapping[str, Any], directory: Path) -> list[dict[str, Any]]:
    """The files that are put into the container: written below `directory`, and mounted one by one."""
    mounts = []
    for upload in given.get("uploads") or []:
        file = directory / upload["file"].lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(upload["content"])
        file.chmod(int(upload["permissions"], 8))
        mounts.append({"type": "bind", "source": str(file), "target": upload["file"], "read_only": True})
    return mounts
