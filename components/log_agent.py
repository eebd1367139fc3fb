"""The agent that ships logs: Promtail, or Grafana Alloy behind one setting.

Promtail had its last release in 2026-03.
"""

from collections.abc import Sequence

import pulumi

from components.file import File
from components.host import Host
from components.service import Service
from config.promtail import promtail_files

_SOCKET = "/var/run/docker.sock"
_BINDS = {_SOCKET: _SOCKET, "/var/log": "/var/log"}
# Both run as root: the engine's socket and the system's logs belong to root.
_ROOT = "0:0"
# Its image has bash, and nothing that speaks HTTP.
_READY = "exec 3<>/dev/tcp/127.0.0.1/9080 && printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '200 OK' <&3"
_CONFIG = "/etc/promtail/promtail.yaml"


def _files(host: Host) -> list[File]:
    return [File(f"/etc/promtail/{path}", content) for path, content in promtail_files(host.settings).items()]


class Promtail(Service):
    """Promtail and the volume of its positions; after a replacement it goes on where it was."""

    def __init__(
        self,
        host: Host,
        *,
        depends_on: Sequence[pulumi.Input[pulumi.Resource]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "promtail",
            host,
            image="promtail",
            component="monitoring",
            user=_ROOT,
            command=[f"-config.file={_CONFIG}"],
            files=_files(host),
            check=["/usr/bin/promtail", "-check-syntax", f"-config.file={_CONFIG}"],
            health=["bash", "-c", _READY],
            data="/positions",
            binds=_BINDS,
            add_capabilities=["CAP_DAC_READ_SEARCH"],
            depends_on=depends_on,
            opts=opts,
        )


class Alloy(Service):
    """Grafana Alloy, reading the same configuration as Promtail would."""

    def __init__(
        self,
        host: Host,
        *,
        depends_on: Sequence[pulumi.Input[pulumi.Resource]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "alloy",
            host,
            image="alloy",
            component="monitoring",
            user=_ROOT,
            command=[
                "run",
                "--config.format=promtail",
                "--server.http.listen-addr=0.0.0.0:12345",
                "--storage.path=/positions",
                _CONFIG,
            ],
            files=_files(host),
            health=["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/12345"],
            data="/positions",
            binds=_BINDS,
            add_capabilities=["CAP_DAC_READ_SEARCH"],
            depends_on=depends_on,
            opts=opts,
        )
