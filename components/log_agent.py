"""What the two agents that ship logs are alike in: Grafana Alloy, and Promtail behind one setting."""

from collections.abc import Sequence
from dataclasses import replace

import pulumi

from components.config_writer import ConfigWriter
from components.container import Container, Mount, Reach
from components.host import Host
from components.service import Service

POSITIONS = "/positions"
_LOGS = "/var/log"


class LogAgent(Service):
    """An agent and the volume of its positions; after a replacement it goes on where it was.

    Takes the `agent`'s name, which is also that of its image; `other`: the agent whose place it takes where that ran
    before; the `container`, without what both have; and `config`, `check`, as Service does.

    Where the other one ran, its container is stopped first and its volume stays, so that no line is read by both or by
    neither: for Pulumi, the one is a new version of the other.
    """

    def __init__(
        self,
        agent: str,
        other: str,
        host: Host,
        container: Container,
        *,
        config: ConfigWriter | None = None,
        check: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        before = pulumi.Alias(name=other, type_=f"monitoring:service:{other.capitalize()}")
        journal = host.settings.host_journal
        elsewhere = [journal] if journal and not journal.startswith(f"{_LOGS}/") else []
        super().__init__(
            agent,
            host,
            replace(
                container,
                mounts=[Mount(path, path) for path in (_LOGS, *elsewhere)],
                capabilities=["CAP_DAC_READ_SEARCH"],
                reach=Reach(engine=True),
            ),
            data=POSITIONS,
            keep_volume_name=True,
            config=config,
            check=check,
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=[before])),
        )
