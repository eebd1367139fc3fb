"""What a command on a stack needs, had in the same order: toolchain, workspace, settings, engine, images, plugins."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import docker

from config.settings import Settings
from config.stack_name import EPHEMERAL
from images.bring import bring
from images.catalogue import image_keys_of
from images.local import expected, local
from lab.cache import cache
from ops.deployments import reviewed as review
from ops.deployments.reviewed import Reviewed
from ops.deployments.revision import revision
from ops.errors import OpsError
from ops.home import ready_home
from ops.report import say, warn
from ops.stack import drift, healing, ports, preflight, repair, takeover, toolchain, update, workspace
from ops.stack.engine import Look, look
from ops.stack.state import State

if TYPE_CHECKING:
    from ops.plan.affected import Affected
    from ops.plan.files import Declared
    from ops.plan.model import Plan

_NO_GRAFANA = "Grafana's image cannot be had: this stack goes without it, and without dashboards"


@dataclass(frozen=True)
class Preview:
    """What `up` would do; `alerts` are the new and changed ones of Prometheus, and `diff` is the engine's own."""

    plan: "Plan"
    alerts: "Sequence[Affected]"
    diff: Sequence[str]


@dataclass(frozen=True)
class Destroyed:
    """What `destroy` found: whether there was anything, and the volumes whose data it kept, as it is protected."""

    anything: bool
    kept: frozenset[str]


@dataclass
class Session:
    """One command on the stack `name`; `overrides` (key -> text) are put over its configuration for this command.

    `confirm` is asked before something is done that cannot be undone.
    """

    name: str
    overrides: Mapping[str, str]
    create: bool = False
    confirm: takeover.Confirm = takeover.refuse
    outputs: Mapping[str, str] = field(default_factory=dict, init=False)
    """The addresses that people use, by name, once the program has run."""
    _declared: "Declared | None" = field(default=None, init=False)

    @cached_property
    def workspace(self) -> workspace.Workspace:
        """The open stack, with Pulumi's command line in place."""
        directory = ready_home()
        command = toolchain.pulumi(cache(), say)
        return workspace.open_stack(
            self.name,
            self._declare,
            directory,
            command,
            create=self.create,
            overrides=self.overrides,
            find_ports=self._find_ports,
        )

    @cached_property
    def settings(self) -> Settings:
        """The checked settings as configured."""
        return self.workspace.settings()

    @cached_property
    def engine(self) -> docker.DockerClient:
        """The Docker engine, which answers. It needs no other setting than its address, so that destroy needs none."""
        return preflight.engine(self.workspace.configuration.get("dockerHost", ""), say)

    @cached_property
    def state(self) -> State:
        """What Pulumi knows of the stack."""
        return State.of(self.workspace)

    @cached_property
    def deployed(self) -> Settings:
        """The settings as the stack on the engine has them: images as they are there, Grafana if it is."""
        return self._with_images(pull=False)

    def look(self) -> Look:
        """What is really there of the stack, now."""
        return look(self.engine, self.name)

    def up(self, message: str, reviewed: Reviewed | None = None) -> dict[str, int]:
        """Bring the stack up, after everything that can be checked beforehand; operation -> count of resources.

        `message` is what Pulumi notes with the update. Raises OpsError (exit code 4), with nothing touched, where it is
        not what was `reviewed`.
        """
        preflight.check(self.settings, self.engine)
        preflight.make_room_for_logs(self.settings, say)
        preflight.look_at_filter(self.workspace.configuration.get("containerFilter", ""), self.engine, warn)
        self.deployed = self._with_images(pull=True)
        self._plugins(self._providers())
        if reviewed:
            review.check(reviewed, self.reviewable())
        self._mend()
        drift.look_into_grafana(self.workspace, self.state)
        return update.up(self.workspace, self.engine, message, reviewed.updates if reviewed else None)

    def reviewable(self) -> Reviewed:
        """What `up` would do now, for a review. Raises OpsError (exit code 2) where a plan cannot hold that."""
        self._plugins(self._providers())
        seen = self.look()
        findings = healing.differences(self.state, seen)
        gone = [finding.words for finding in findings if finding.gone]
        if takeover.is_unknown(self.state, seen):
            raise OpsError(f"{takeover.words(seen)} A plan cannot hold that; take it over with: ops up", code=2)
        if gone:
            raise OpsError(
                "a plan cannot hold what is to be made anew because somebody removed it:\n  "
                + "\n  ".join(gone)
                + f"\nRead that into the state first: ops refresh --stack {self.name}",
                code=2,
            )
        drift.look_into_grafana(self.workspace, self.state)
        words = tuple(finding.words for finding in findings)
        return Reviewed(self.name, revision(), words, update.planned(self.workspace))

    def preview(self, *, refresh: bool) -> Preview:
        """What `up` would change, and what it would mend first; brings no image."""
        from ops.plan.build import changed_alerts, plan
        from ops.plan.files import Declared, in_state

        self._plugins(self._providers())
        seen = self.look()
        unknown = takeover.is_unknown(self.state, seen)
        findings = [] if unknown else healing.differences(self.state, seen)
        drift.look_into_grafana(self.workspace, self.state)
        self._declared = Declared()
        found = update.preview(self.workspace, refresh=refresh and self._grafana_can_be_read())
        files = (in_state(self.state.resources), self._declared.files)
        planned = plan(
            self.name,
            found.events,
            *files,
            take_over=f"{takeover.words(seen)} `up` asks, and then takes it over." if unknown else "",
            mended=[finding.words for finding in findings],
            warnings=[_NO_GRAFANA] if self.settings.grafana.mode != self.deployed.grafana.mode else [],
        )
        return Preview(planned, changed_alerts(found.events, *files), found.diff)

    def refresh(self) -> dict[str, int]:
        """Read back what is there."""
        self._release_lock()
        repair.clean_up(self.workspace, self.state, self.look(), self.engine)
        self._plugins(self.state.providers(toolchain.plugin_versions()))
        return update.refresh(self.workspace, exclude=None if self._grafana_can_be_read() else [drift.CONTENT])

    def destroy(self) -> Destroyed:
        """Remove everything of the stack, and an ephemeral stack's own record, too.

        Asks before it removes what the state does not know. Data stays where it is protected.
        """
        self._release_lock()
        seen = self.look()
        unknown = takeover.is_unknown(self.state, seen)
        if unknown:
            self.confirm(f"{takeover.words(seen)} Everything of it is removed, its data, too.")
            takeover.remove_all(seen, self.engine, volumes=())
        else:
            repair.clean_up(self.workspace, self.state, seen, self.engine)
        known = bool(self.state.resources)
        if known:
            self._plugins(self.state.providers(toolchain.plugin_versions()))
            update.destroy(self.workspace)
        left = self.look()
        kept = left.volumes if self.workspace.configuration.get("protect") == "true" else frozenset()
        doomed = left.volumes - kept
        if doomed and not known and not unknown:
            self.confirm(f"There is data of an earlier {self.name}, which is removed: {', '.join(sorted(doomed))}.")
        takeover.remove_all(left, self.engine, volumes=doomed)
        if EPHEMERAL.fullmatch(self.name):
            opened = self.workspace.stack.workspace
            opened.remove_stack(self.name)
            (Path(opened.work_dir) / f"Pulumi.{self.name}.yaml").unlink(missing_ok=True)
        return Destroyed(known or unknown or bool(doomed), kept)

    def _find_ports(self, host: str, services: Collection[str], reserved: Collection[int]) -> Mapping[str, int]:
        """Ports for a pull request's stack that is made; `host` is the address of its Docker engine."""
        self.engine = preflight.engine(host, say)
        found = ports.find(self.name, services, self.engine, reserved, here=not host)
        say(f"ports of {self.name}: {', '.join(f'{service} {port}' for service, port in found.items())}")
        return found

    def _mend(self) -> None:
        """Remove what was left half-made, take over what the state does not know, put right what differs from it."""
        self._release_lock()
        seen = self.look()
        if repair.clean_up(self.workspace, self.state, seen, self.engine):
            seen = self.look()
        if takeover.take_over(self.state, seen, self.engine, self.confirm):
            seen = self.look()
        started = healing.mend(healing.differences(self.state, seen), self.state, self.workspace, self.engine)
        if "grafana" in started:
            healing.wait_for_grafana(self.look)

    def _release_lock(self) -> None:
        if workspace.release_dead_lock(self.workspace):
            say("the last update of this stack was killed; its lock is released")

    def _grafana_can_be_read(self) -> bool:
        """Whether a refresh may ask the Grafana that the state knows; of one that is gone, each page is an error."""
        if not self.state.grafana_content() or drift.answers(self.state):
            return True
        warn("Grafana does not answer: what is in it is taken as it was last known")
        return False

    def _providers(self) -> list[str]:
        return ["docker"] + (["grafana"] if self.deployed.grafana.mode != "none" else [])

    def _plugins(self, names: list[str]) -> None:
        command = self.workspace.stack.workspace.pulumi_command
        directory = Path(self.workspace.environment["PULUMI_HOME"])
        for name in names:
            toolchain.plugin(name, command, directory, cache(), say)

    def _with_images(self, *, pull: bool) -> Settings:
        """The settings with the reference of each image, which `pull` brings to the engine first.

        A demo stack goes without Grafana where its image cannot be had.
        """
        settings = self.settings
        keys = image_keys_of(settings)
        if pull:
            found = bring(keys, settings, self.engine, cache(), say, optional=["grafana"] if settings.demo else [])
        else:
            found = expected(keys, settings, self.engine, cache())
            if settings.demo and "grafana" in keys and not self._is_here("grafana"):
                del found["grafana"]
        if "grafana" in keys and "grafana" not in found:
            warn(_NO_GRAFANA)
            settings = dataclasses.replace(settings, grafana=dataclasses.replace(settings.grafana, mode="none"))
        return dataclasses.replace(settings, images=dataclasses.replace(settings.images, overrides=found))

    def _is_here(self, key: str) -> bool:
        return local([key], self.settings, self.engine, cache())[key][1] is not None

    def _declare(self) -> None:
        # Loaded by the commands that run the program alone: it takes 0.4 s.
        from components.program import declare

        if self._declared:
            self._declared.watch()
        self.outputs = declare(self.deployed)
