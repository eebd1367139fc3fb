"""What the two agents that ship logs are alike in: Promtail, and Grafana Alloy behind one setting.

Promtail had its last release in 2026-03.
"""

from collections.abc import Sequence

import pulumi

from components.container import Container, Mount
from components.file import File
from components.host import Host
from components.service import Service
from config.promtail import promtail_files

CONFIG = "/etc/promtail/promtail.yaml"
POSITIONS = "/positions"


class LogAgent(Service):
    """An agent and the volume of its positions; after a replacement it goes on where it was.

    Takes the `agent`'s name, which is also that of its image; its `command`; `ready`: a command for bash that succeeds
    when it works (the images have bash, and nothing that speaks HTTP); and `check`, see Service.
    """

    def __init__(
        self,
        agent: str,
        host: Host,
        *,
        command: Sequence[str],
        ready: str,
        check: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        container = Container(
            image=agent,
            component="monitoring",
            # The engine's socket and the system's logs belong to root.
            user="0:0",
            command=command,
            files=[File(f"/etc/promtail/{path}", content) for path, content in promtail_files(host.settings).items()],
            mounts=[Mount(path, path) for path in ("/var/run/docker.sock", "/var/log")],
            health=["bash", "-c", ready],
            capabilities=["CAP_DAC_READ_SEARCH"],
        )
        super().__init__(agent, host, container, data=POSITIONS, check=check, opts=opts)
