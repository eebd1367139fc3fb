"""What the demo's PostgreSQL and Redis have in common."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.container import Container
from components.demo.files import DIRECTORY, script
from components.file import File


def server(image: str, component: str, start: str, files: Sequence[File], **more: Any) -> Container:
    """The container of a server that the script `start` of `demo/` starts, in place of the image's own entry point.

    Takes the keys `image` and `component`, further `files`, and further fields of the container. It runs as the user
    999, which is the server's own in the official images and in Debian's packages.
    """
    return Container(
        image=image,
        component=component,
        user="999:999",
        entrypoint=["/bin/sh"],
        command=[f"{DIRECTORY}/{Path(start).name}"],
        files=[script(start), *files],
        **more,
    )
