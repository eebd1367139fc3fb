"""What the exporters of the databases are alike in."""

from collections.abc import Mapping, Sequence

import pulumi

from components.container import Container, Reach, http_health
from components.file import File
from components.host import Host
from components.service import Service
from config.prometheus.jobs import EXPORTER_ARGUMENTS


class DatabaseExporter(Service):
    """An exporter that speaks for a database.

    Takes `image`, whose arguments config.prometheus.jobs knows; `env`: where the database is; `password`: the file with
    the password for it; `files`: others that it reads; `port` and `path` that answer when the exporter works, whatever
    its database does.
    """

    def __init__(
        self,
        name: str,
        host: Host,
        *,
        image: str,
        component: str,
        user: str,
        env: Mapping[str, str],
        password: File,
        files: Sequence[File] = (),
        port: int,
        path: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        container = Container(
            image=image,
            component=component,
            user=user,
            command=EXPORTER_ARGUMENTS[image],
            env=env,
            files=[password, *files],
            health=http_health(port, path),
            # A database outside of the stack is reached over the network that leads out.
            reach=Reach(edge=not host.settings.demo, backend=True),
            memory=image,
        )
        super().__init__(name, host, container, opts=opts)
