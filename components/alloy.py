"""Grafana Alloy, which ships logs to Loki."""

import pulumi

from components.config_writer import Configuration, ConfigWriter
from components.container import Container, bash_health
from components.file import File
from components.host import Host
from components.log_agent import POSITIONS, LogAgent
from components.once import checked, run_once
from config.logs.alloy import alloy_files

_DIRECTORY = "/etc/alloy"
_CONFIG = f"{_DIRECTORY}/config.alloy"
_PORT = 12345
_RUN = ("/bin/alloy", "run", f"--server.http.listen-addr=0.0.0.0:{_PORT}", f"--storage.path={POSITIONS}", _CONFIG)


class Alloy(LogAgent):
    """Grafana Alloy, and the writer of its configuration, which changes while it runs.

    Its own tool checks the configuration first, in a container of its own image; what writes it and asks Alloy to read
    it again needs a shell that speaks HTTP, which is in the image of Prometheus.
    """

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        files = [File(f"{_DIRECTORY}/{path}", content) for path, content in alloy_files(host.settings).items()]
        container = Container(
            image="alloy",
            component="monitoring",
            # The system's logs belong to root.
            user="0:0",
            entrypoint=["bash", f"{_DIRECTORY}/start-alloy.sh", POSITIONS],
            command=_RUN,
            health=bash_health(_PORT, "/-/ready"),
        )
        config = ConfigWriter(
            "alloy",
            host,
            Configuration(
                directory=_DIRECTORY,
                files=files,
                secrets=[],
                url=f"http://alloy:{_PORT}",
                reloaded_metric="alloy_config_last_load_successful",
            ),
            image="prometheus",
            component="monitoring",
            data="/prometheus",
            gate=lambda parent: checked(
                run_once(
                    Container(
                        image="alloy",
                        component="monitoring",
                        user="0:0",
                        entrypoint=["/bin/alloy"],
                        command=["validate", _CONFIG],
                        files=files,
                    ),
                    "alloy-check",
                    host,
                    parent=parent,
                ),
                "the configuration of alloy",
            ),
            opts=opts,
        )
        super().__init__("alloy", "promtail", host, container, config=config, opts=opts)
