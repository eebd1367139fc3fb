"""What Pulumi knows of a stack: its state, read once for a command, and what of it is forgotten."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.stack.backend import Backend
from ops.stack.workspace import Workspace

CONTAINER = "docker:index/container:Container"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
_GRAFANA = "pulumi:providers:grafana"
_DOCKER = "pulumi:providers:docker"


@dataclass(frozen=True)
class Known:
    """A container, network or volume as the state has it: its URN, its id at Docker, and its name there.

    For a container also: whether it must run (a writer of configuration must not), and `networks`, by name, with the
    aliases that it answers to in each; `volumes` are the names of those that it mounts.
    """

    urn: str
    id: str
    name: str
    must_run: bool
    networks: Mapping[str, Sequence[str]]
    volumes: frozenset[str]


class State:
    """A stack's state as Pulumi exports it, with its secrets in clear, so that it is never shown or kept in a file."""

    def __init__(self, exported: dict[str, Any]) -> None:
        """`exported` is the JSON of `pulumi stack export --show-secrets`."""
        self._exported = exported

    @classmethod
    def of(cls, workspace: Workspace) -> "State":
        """Ask Pulumi, once. Raises OpsError where it cannot be read."""
        return cls.read(workspace.backend, workspace.stack.name)

    @classmethod
    def read(cls, backend: Backend, stack: str) -> "State":
        """The same, of a stack that is not open."""
        return cls(json.loads(backend.ask(stack, "stack", "export", "--show-secrets")))

    @property
    def resources(self) -> list[dict[str, Any]]:
        """Every resource as Pulumi writes it; empty for a stack that was never updated."""
        return (self._exported.get("deployment") or {}).get("resources") or []

    @property
    def outputs(self) -> dict[str, Any]:
        """What the stack gives, by name; empty for one that is not up."""
        roots = [resource for resource in self.resources if resource["type"] == "pulumi:pulumi:Stack"]
        return dict(roots[0].get("outputs") or {}) if roots else {}

    @property
    def pending(self) -> list[dict[str, Any]]:
        """Operations that were under way when Pulumi itself was killed."""
        return (self._exported.get("deployment") or {}).get("pending_operations") or []

    def of_type(self, resource_type: str) -> list[Known]:
        """The containers, networks or volumes in the state, without those that a replacement is about to delete."""
        return [
            _known(resource)
            for resource in self.resources
            if resource["type"] == resource_type and resource.get("id") and not resource.get("delete")
        ]

    def ids(self) -> set[str]:
        """The ids of all resources, those about to be deleted, too."""
        return {resource["id"] for resource in self.resources if resource.get("id")}

    def providers(self, names: Collection[str]) -> list[str]:
        """Those of the providers `names` that the state has resources of."""
        types = {resource["type"] for resource in self.resources}
        return [name for name in names if f"pulumi:providers:{name}" in types]

    @property
    def docker_host(self) -> str:
        """The address of the Docker engine of the last update; empty for the machine's own."""
        for resource in self.resources:
            if resource["type"] == _DOCKER:
                return _plain(resource["inputs"].get("host") or "")
        return ""

    @property
    def protected(self) -> bool:
        """Whether anything of the stack is protected against its removal."""
        return any(resource.get("protect") for resource in self.resources)

    def grafana(self) -> Mapping[str, str]:
        """Address (`url`) and credentials (`auth`) of the Grafana of the last update; empty when there was none."""
        for resource in self.resources:
            if resource["type"] == _GRAFANA:
                return {key: _plain(resource["inputs"][key]) for key in ("url", "auth")}
        return {}

    def grafana_content(self) -> list[str]:
        """URNs of what is in Grafana."""
        return [resource["urn"] for resource in self.resources if resource["type"].startswith("grafana:")]

    def forget(self, workspace: Workspace, urns: Collection[str], *, pending: bool = False) -> None:
        """Drop these resources from the state, and with `pending` all operations that were under way.

        What is dropped is made anew by the next update. A refresh would do the same for what is gone, but start both
        providers for it, and ask a Grafana that may be gone as well. Raises OpsError where Pulumi refuses the state.
        """
        gone = set(urns)
        deployment = self._exported["deployment"]
        deployment["resources"] = [
            _without(resource, gone) for resource in self.resources if resource["urn"] not in gone
        ]
        if pending:
            deployment["pending_operations"] = []
        # By standard input, as there are secrets in it.
        workspace.backend.ask(workspace.stack.name, "stack", "import", text=json.dumps(self._exported))


def service_of(urn: str) -> str:
    """The name of a resource without what kind of thing it is: `prometheus` of `…::prometheus-container`."""
    name = urn.rsplit("::", 1)[-1]
    for kind in ("-container", "-data", "-writer", "-volume"):
        name = name.removesuffix(kind)
    return name


def _known(resource: Mapping[str, Any]) -> Known:
    inputs = resource.get("inputs") or {}
    return Known(
        urn=resource["urn"],
        id=resource["id"],
        name=inputs.get("name", ""),
        must_run=inputs.get("mustRun", True),
        networks={network["name"]: network.get("aliases") or () for network in inputs.get("networksAdvanced") or []},
        volumes=frozenset(_volumes(inputs)),
    )


def _volumes(inputs: Mapping[str, Any]) -> Iterator[str]:
    for mount in inputs.get("mounts") or []:
        if mount["type"] == "volume":
            yield mount["source"]


def _without(resource: dict[str, Any], gone: Collection[str]) -> dict[str, Any]:
    """A resource that depends on none of the `gone` any more, as Pulumi wants it in a state that lacks them."""
    kept = {**resource, "dependencies": [urn for urn in resource.get("dependencies") or [] if urn not in gone]}
    kept["propertyDependencies"] = {
        name: [urn for urn in urns or [] if urn not in gone]
        for name, urns in (resource.get("propertyDependencies") or {}).items()
    }
    if resource.get("deletedWith") in gone:
        del kept["deletedWith"]
    return kept


def _plain(value: Any) -> str:
    """A string of the state; a secret is an object around its JSON."""
    return value if isinstance(value, str) else json.loads(value["plaintext"])
