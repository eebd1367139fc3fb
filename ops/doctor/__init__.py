"""What this machine lacks for a stack, and how to get it: `doctor` looks at everything, and changes nothing."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import docker
from docker.errors import DockerException

from config.errors import SettingsError
from config.settings import Settings
from config.way_out import ops_stack
from lab.cache import cache
from ops.doctor import engine, machine, network, state
from ops.errors import OpsError
from ops.home import home
from ops.stack import preflight
from ops.validation.causes import without_consequences
from ops.validation.check import Check
from ops.validation.report import Report


class Patient:
    """The machine, as the checks see it: what several of them ask for is found out once."""

    def __init__(self, stack: str, overrides: Mapping[str, str]) -> None:
        """`overrides` (key -> text) are put over the stack's configuration."""
        self.stack, self.overrides = stack, overrides
        self.home, self.cache = home(), cache()

    @cached_property
    def settings(self) -> Settings:
        """The stack's settings, without its secrets. Raises OpsError or SettingsError where they are wrong."""
        return state.settings(self.stack, self.home, self.overrides)

    @cached_property
    def engine(self) -> docker.DockerClient | Exception:
        """The Docker engine of the stack, or why it does not answer. None is installed or started."""
        try:
            host = self.settings.docker_host
        except (OpsError, SettingsError):
            host = ""  # said by the category of the stack
        try:
            return preflight.connect(host)
        except (DockerException, OSError) as error:
            return error


_CATEGORIES: Mapping[str, Callable[[Patient], Iterable[Check]]] = {
    "stack": lambda patient: state.configuration(lambda: patient.settings),
    "machine": lambda patient: machine.checks(patient.home, patient.cache),
    "state": lambda patient: state.checks(patient.stack, patient.home, patient.cache, patient.overrides),
    "engine": lambda patient: engine.checks(lambda: patient.settings, patient.engine),
    "network and images": lambda patient: network.checks(lambda: patient.settings, patient.engine, patient.cache),
}


def doctor(stack: str, overrides: Mapping[str, str]) -> Report:
    """Look at everything that `ops up` of the stack needs of this machine; takes some seconds, most for the network.

    A check fails where `up` would, and warns where it would not. `overrides` (key -> text) are put over the stack's
    configuration. Raises OpsError where not even a home directory is known.
    """
    began = time.monotonic()
    # The ways out are commands of `ops`.
    token = ops_stack.set(stack)
    try:
        patient = Patient(stack, overrides)
        found = without_consequences({name: _run(category, patient) for name, category in _CATEGORIES.items()})
    finally:
        ops_stack.reset(token)
    return Report(stack, time.monotonic() - began, found)


def _run(category: Callable[[Patient], Iterable[Check]], patient: Patient) -> list[Check]:
    checks: list[Check] = []
    try:
        checks.extend(category(patient))
    except Exception as error:  # what stops a category from being looked at is itself to look at
        checks.append(
            Check.warn(
                "can be looked at",
                f"{type(error).__name__}: {error}",
                expected="an answer",
                hint="mend what failed above first",
            )
        )
    return checks
