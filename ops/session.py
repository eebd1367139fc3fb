"""What every command on a stack needs, had in the same order: toolchain, workspace, settings, engine."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import docker

from components.program import declare
from config.images import image_keys_of
from config.settings import Settings
from ops import images, interrupted, preflight, registry, toolchain, update, workspace
from ops.errors import OpsError
from ops.home import cache, home
from ops.report import say, warn


@dataclass
class Session:
    """One command on the stack `name`; `overrides` (key -> text) are put over its configuration for this command."""

    name: str
    overrides: Mapping[str, str]
    create: bool = False

    @cached_property
    def workspace(self) -> workspace.Workspace:
        """The open stack, with Pulumi's command line and the plugins in place."""
        command = toolchain.pulumi(cache(), say)
        opened = workspace.open_stack(
            self.name, self._declare, home(), command, create=self.create, overrides=self.overrides
        )
        return opened

    @cached_property
    def settings(self) -> Settings:
        """The checked settings; Grafana is left out of a demo stack where it cannot be had (see `bring_images`)."""
        return self.workspace.settings()

    @cached_property
    def engine(self) -> docker.DockerClient:
        """The Docker engine, which answers."""
        return preflight.engine(self.settings, say)

    def up(self) -> dict[str, int]:
        """Bring the stack up, after everything that can be checked beforehand."""
        preflight.check(self.settings, self.engine)
        interrupted.clean_up(self.workspace, self.engine)
        self._bring_images(pull=True)
        self._plugins()
        return update.up(self.workspace, self.engine)

    def preview(self, *, refresh: bool) -> dict[str, int]:
        """Show what `up` would change; brings no image."""
        self._bring_images(pull=False)
        self._plugins()
        return update.preview(self.workspace, refresh=refresh)

    def refresh(self) -> dict[str, int]:
        """Read back what is there."""
        self._plugins()
        return update.refresh(self.workspace)

    def destroy(self) -> None:
        """Remove everything of the stack, and the stack itself where it is an ephemeral one."""
        self._plugins()
        interrupted.clean_up(self.workspace, self.engine)
        update.destroy(self.workspace)

    def _plugins(self) -> None:
        opened = self.workspace
        plugins = ["docker"] + (["grafana"] if self.settings.grafana.mode != "none" else [])
        for plugin in plugins:
            toolchain.plugin(
                plugin, opened.stack.workspace.pulumi_command, Path(opened.environment["PULUMI_HOME"]), cache(), say
            )

    def _bring_images(self, *, pull: bool) -> None:
        """Settle by which reference the containers use each image, bringing it to the engine first where `pull`."""
        settings = self.settings
        keys = image_keys_of(settings)
        if pull:
            optional = ["grafana"] if settings.demo else []
            try:
                found = images.bring(keys, settings, self.engine, cache(), say, optional=optional)
            except (images.ImagesError, registry.EngineError) as error:
                raise OpsError(str(error)) from None
        else:
            there = images.local(keys, settings, self.engine, cache())
            # What is not there yet is shown as `up` would ask the registry for it.
            found = {key: reference or str(image.reference) for key, (image, reference) in there.items()}
            if settings.demo and not there.get("grafana", ("", "there"))[1]:
                del found["grafana"]
        if "grafana" in keys and "grafana" not in found:
            warn("Grafana's image cannot be had: this stack goes without it, and without dashboards")
            settings = dataclasses.replace(settings, grafana=dataclasses.replace(settings.grafana, mode="none"))
        self.settings = dataclasses.replace(
            settings, images=dataclasses.replace(settings.images, overrides=found)
        )

    def _declare(self) -> None:
        declare(self.settings)
