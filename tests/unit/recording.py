"""The whole graph of resources that a program declares, recorded where Pulumi's engine would be.

Pulumi's own mocks hide what the engine is told beside the inputs (parents, providers, protection, dependencies), so the
requests themselves are kept.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from pulumi.runtime import get_root_resource
from pulumi.runtime.mocks import MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_pulumi_func

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
NETWORK = "docker:index/network:Network"
IMAGE = "docker:index/remoteImage:RemoteImage"
DOCKER = "pulumi:providers:docker"

# What marks a value that travels encrypted.
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True)
class Registration:
    """One resource as the engine is told of it; `inputs` are plain, `wire` has its secrets marked."""

    type: str
    name: str
    urn: str
    parent: str
    provider: str
    protect: bool
    retain_on_delete: bool
    aliases: tuple[tuple[str, str], ...]
    ignore_changes: tuple[str, ...]
    dependencies: frozenset[str]
    inputs: Mapping[str, Any]
    wire: Mapping[str, Any]


@dataclass
class Graph:
    """All resources that were registered, in that order, what the stack gives, and what it warned of."""

    resources: list[Registration] = field(default_factory=list)
    outputs: Mapping[str, Any] = field(default_factory=dict)

    def of(self, resource_type: str) -> dict[str, Registration]:
        """Physical name -> resource, of one type."""
        found = [resource for resource in self.resources if resource.type == resource_type]
        names = {resource.inputs["name"]: resource for resource in found}
        assert len(names) == len(found), "two resources share a physical name"
        return names

    def named(self, name: str) -> Registration:
        """The resource of that logical name that is no component."""
        (found,) = [r for r in self.resources if r.name == name and not r.type.startswith("monitoring:")]
        return found

    def needs(self, name: str) -> set[str]:
        """Logical names of what the resource of that logical name depends on."""
        names = {resource.urn: resource.name for resource in self.resources}
        return {names[urn] for urn in self.named(name).dependencies}


class _Engine(Mocks):
    """Gives each resource its inputs back, and a container that only runs once the exit code that `exits` says."""

    def __init__(self, exits: Mapping[str, tuple[int, str]], preview: bool) -> None:
        self._exits, self._preview = exits, preview

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        outputs = dict(args.inputs)
        if args.typ == CONTAINER and not self._preview:
            outputs["exitCode"], outputs["containerLogs"] = self._exits.get(args.name, (0, ""))
        return f"{args.name}-id", outputs

    def call(self, _: object) -> dict[str, Any]:  # type: ignore[override]
        return {}


class _Monitor(MockMonitor):
    def __init__(self, mocks: Mocks, graph: Graph) -> None:
        super().__init__(mocks)
        self._graph = graph

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the name is gRPC's)
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            wire = MessageToDict(request.object)
            self._graph.resources.append(
                Registration(
                    type=request.type,
                    name=request.name,
                    urn=response.urn,
                    parent=request.parent,
                    # urn::id
                    provider=request.provider.rpartition("::")[0],
                    protect=request.protect,
                    retain_on_delete=request.retainOnDelete,
                    aliases=tuple((alias.spec.type, alias.spec.name) for alias in request.aliases),
                    ignore_changes=tuple(request.ignoreChanges),
                    dependencies=frozenset(request.dependencies),
                    inputs=_plain(wire),
                    wire=wire,
                )
            )
        return response


def record(
    program: Callable[[], object],
    stack: str,
    *,
    exits: Mapping[str, tuple[int, str]] | None = None,
    preview: bool = False,
    graph: Graph | None = None,
    configuration: Mapping[str, str] | None = None,
    secret_keys: list[str] | None = None,
) -> Graph:
    """What `program` declares for `stack`.

    Takes `exits`: logical name of a container -> (exit code, output); the others end with 0, and in a preview none has
    ended. `graph` is filled as resources are registered, so that it can be looked at when the program raises.
    """
    recorded = Graph() if graph is None else graph

    def declare() -> None:
        program()

    async def run() -> None:
        # What a recording that raised left waiting: the set is one for all of them.
        SETTINGS.outputs.clear()
        mocks = _Engine(exits or {}, preview)
        set_mocks(mocks, "monitoring", stack, preview, monitor=_Monitor(mocks, recorded))
        pulumi.runtime.set_all_config(dict(configuration or {}), secret_keys or [])
        # What waits for a resource that failed fails with it, and says so a second time.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        await run_pulumi_func(declare)
        recorded.outputs = dict(get_root_resource().outputs)  # type: ignore[union-attr]

    # A loop and a context of its own, as each program has them.
    asyncio.run(run())
    return recorded


def secret_values(value: Any) -> list[Any]:
    """Everything inside a value of `wire` that is marked as a secret."""
    if isinstance(value, list):
        return [found for item in value for found in secret_values(item)]
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return [value["value"]]
        return [found for item in value.values() for found in secret_values(item)]
    return []


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return _plain(value["value"])
        return {key: _plain(item) for key, item in value.items()}
    return value
