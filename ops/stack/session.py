"""What a command on a stack needs, had in the same order: toolchain, workspace, settings, engine, images, plugins."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import docker

from components.program import declare
from config.settings import EPHEMERAL, Settings
from images.bring import bring
from images.catalogue import image_keys_of
from images.local import expected, local
from lab.cache import cache
from ops.home import home
from ops.report import say, warn
from ops.stack import drift, preflight, repair, toolchain, update, workspace


@dataclass
class Session:
    """One command on the stack `name`; `overrides` (key -> text) are put over its configuration for this command."""

    name: str
    overrides: Mapping[str, str]
    create: bool = False

    @cached_property
    def workspace(self) -> workspace.Workspace:
        """The open stack, with Pulumi's command line in place."""
        command = toolchain.pulumi(cache(), say)
        return workspace.open_stack(
            self.name, self._declare, home(), command, create=self.create, overrides=self.overrides
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
    def deployed(self) -> Settings:
        """The settings as the stack on the engine has them: images as they are there, Grafana if it is."""
        return self._with_images(pull=False)

    def up(self) -> dict[str, int]:
        """Bring the stack up, after everything that can be checked beforehand."""
        preflight.check(self.settings, self.engine)
        preflight.make_room_for_logs(self.settings, say)
        repair.clean_up(self.workspace, self.engine)
        self.deployed = self._with_images(pull=True)
        self._plugins(["docker"] + (["grafana"] if self.deployed.grafana.mode != "none" else []))
        self._look_into_grafana()
        return update.up(self.workspace, self.engine)

    def preview(self, *, refresh: bool) -> dict[str, int]:
        """Show what `up` would change; brings no image."""
        self._plugins(["docker"] + (["grafana"] if self.deployed.grafana.mode != "none" else []))
        self._look_into_grafana()
        return update.preview(self.workspace, refresh=refresh)

    def refresh(self) -> dict[str, int]:
        """Read back what is there."""
        repair.clean_up(self.workspace, self.engine)
        self._plugins(self._providers_in_state())
        return update.refresh(self.workspace)

    def destroy(self) -> None:
        """Remove everything of the stack, and an ephemeral stack's own record, too."""
        repair.clean_up(self.workspace, self.engine)
        self._plugins(self._providers_in_state())
        update.destroy(self.workspace)
        if EPHEMERAL.fullmatch(self.name):
            opened = self.workspace.stack.workspace
            opened.remove_stack(self.name)
            (Path(opened.work_dir) / f"Pulumi.{self.name}.yaml").unlink(missing_ok=True)

    def _look_into_grafana(self) -> None:
        """What was edited by hand in Grafana shows in a preview, and comes back with `up`."""
        if "grafana" in self._providers_in_state():
            drift.look_into_grafana(self.workspace)

    def _providers_in_state(self) -> list[str]:
        state = json.dumps(self.workspace.stack.export_stack().deployment)
        return [name for name in toolchain.plugin_versions() if f'"pulumi:providers:{name}"' in state]

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
            warn("Grafana's image cannot be had: this stack goes without it, and without dashboards")
            settings = dataclasses.replace(settings, grafana=dataclasses.replace(settings.grafana, mode="none"))
        return dataclasses.replace(settings, images=dataclasses.replace(settings.images, overrides=found))

    def _is_here(self, key: str) -> bool:
        return local([key], self.settings, self.engine, cache())[key][1] is not None

    def _declare(self) -> None:
        declare(self.deployed)
