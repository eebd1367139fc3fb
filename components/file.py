"""A file that a container reads."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker


@dataclass(frozen=True)
class File:
    """`content` at the absolute `path`; a secret is encrypted in the state and readable by root and `group` only."""

    path: str
    content: str
    secret: bool = False


def uploads(files: Sequence[File], group: int) -> list[docker.ContainerUploadArgs]:
    """The uploads that put `files` into a container; `group` is the numeric group id that may read the secret ones.

    Files, and never the environment, carry secrets: `docker inspect` shows every variable to whoever may ask the engine.
    """
    return [
        docker.ContainerUploadArgs(
            file=file.path,
            content=pulumi.Output.secret(file.content) if file.secret else file.content,
            permissions="0440" if file.secret else "0644",
            owner="0",
            group=str(group),
        )
        for file in sorted(files, key=lambda file: file.path)
    ]
