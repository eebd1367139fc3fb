"""The command line around the Pulumi program: bring up, preview, check, take down."""

import importlib
import sys
from types import ModuleType
from typing import Any


class _LoadedWhenUsed(ModuleType):
    """Stands in for a module until something of it is used, and then becomes like it."""

    def __getattr__(self, name: str) -> Any:
        del sys.modules[self.__name__]
        module = importlib.import_module(self.__name__)
        vars(self).update(vars(module))
        return getattr(module, name)


# The Docker SDK imports it at once, for engines that are reached over ssh: a quarter of a second, seldom needed.
sys.modules.setdefault("paramiko", _LoadedWhenUsed("paramiko"))
