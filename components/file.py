"""A file that a container reads."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker


@dataclass(frozen=True)
class File:
    """`content` at the absolute `path`; a secret is encrypted in the state and readable by user and group root only."""

    path: str
    content: str
    secret: bool = False


# Every service is in this group beside its own, and so reads its secret files. (Files that are uploaded with an owner
# or group of their own are refused by Docker Engine 20.10 for a container whose user is `uid:gid`.)
SECRETS_GROUP = "0"


def uploads(files: Sequence[File]) -> list[docker.ContainerUploadArgs]:
    """The uploads that put `files` into a container.

    Files carry the secrets, and never the environment, which `docker inspect` shows to whoever may ask the engine.
    """
    return [
        docker.ContainerUploadArgs(
            file=file.path,
            content=pulumi.Output.secret(file.content) if file.secret else file.content,
            permissions="0440" if file.secret else "0644",
        )
        for file in sorted(files, key=lambda file: file.path)
    ]
