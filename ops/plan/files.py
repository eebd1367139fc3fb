"""The files that containers read, on both sides of an update, secrets and all: never shown, only compared.

The engine hides all of a container's files where one of them is secret. So the old ones are read from the state, and
the new ones where the program declares them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pulumi

from ops.plan.model import SECRET
from ops.stack.state import CONTAINER

_SIGNATURE = "4dabf18193072939515e22adb298388d"


@dataclass(frozen=True)
class Text:
    """The content of a file; `secret`: that it must not be shown."""

    content: str = field(repr=False)
    secret: bool = False

    @property
    def shown(self) -> str:
        """What may be shown of it."""
        return SECRET if self.secret else self.content


Files = Mapping[str, Mapping[str, Text]]
"""Name of a container in the program -> path in it -> file."""


def in_state(resources: list[dict[str, Any]]) -> dict[str, dict[str, Text]]:
    """The files of the last update, of resources as Pulumi exports them with their secrets."""
    found: dict[str, dict[str, Text]] = {}
    for resource in resources:
        uploads, secret = _opened((resource.get("inputs") or {}).get("uploads"))
        if uploads and not resource.get("delete"):
            found[resource["urn"].rsplit("::", 1)[-1]] = unpacked(dict(_file(upload, secret) for upload in uploads))
    return found


def unpacked(files: dict[str, Text]) -> dict[str, Text]:
    """The files of a container, those that are put into it as one by themselves."""
    from components.config_writer import PACKED  # loaded for a program that runs in any case: it takes 0.4 s
    from components.pack import unpack

    packed = files.pop(PACKED, None)
    return {**files, **({path: Text(text) for path, text in unpack(packed.content).items()} if packed else {})}


def _file(upload: Mapping[str, Any], secret: bool) -> tuple[str, Text]:
    content, hidden = _opened(upload.get("content"))
    # Where one of its files is secret, the provider takes all for secret: which one is, its permissions tell.
    return str(upload["file"]), Text(str(content or ""), hidden or (secret and upload.get("permissions") == "0440"))


def _opened(value: Any) -> tuple[Any, bool]:
    """A value of the state, and whether it is a secret."""
    if isinstance(value, Mapping) and _SIGNATURE in value:
        return json.loads(value["plaintext"]), True
    return value, False


class Declared:
    """Sees the files of each container that a program declares; to be put on its stack while that runs."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, Text]] = {}

    @property
    def files(self) -> dict[str, dict[str, Text]]:
        """The files that it has seen, once the program has run."""
        return {name: unpacked(dict(files)) for name, files in self._files.items()}

    def watch(self) -> None:
        """See what is declared from now on, in the program that runs now."""
        self._files.clear()
        pulumi.runtime.register_stack_transformation(self._see)

    def _see(self, args: pulumi.ResourceTransformationArgs) -> None:
        if args.type_ != CONTAINER:
            return
        files = self._files.setdefault(args.name, {})
        uploads: Any = args.props.get("uploads")
        for upload in uploads or ():
            path, content = pulumi.get(upload, "file"), pulumi.get(upload, "content")
            # As components/file.py declares them, a secret is an output, and nothing else is.
            if isinstance(content, pulumi.Output):
                content.apply(partial(_keep, files, path))
            else:
                files[path] = Text(content)


def _keep(files: dict[str, Text], path: str, content: str) -> None:
    files[path] = Text(content, secret=True)
