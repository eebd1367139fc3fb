"""The demo's program."""

import pulumi

from components.container import Container, Reach
from components.demo.files import secrets
from components.host import Host
from components.service import Service


class Demo(Service):
    """The program that drives the load and speaks for Kong, Realtime, the WebSocket server and the application."""

    def __init__(self, host: Host, *, opts: pulumi.ResourceOptions) -> None:
        backend = host.settings.backend
        container = Container(
            image="demo",
            component="business",
            user="10002:10002",
            entrypoint=["python3", "-m", "demo"],
            command=[
                "--postgres-replica-host=postgres-replica",
                "--nginx-host=nginx",
                f"--postgres-database={backend.postgres_db}",
                f"--postgres-user={backend.postgres_user}",
            ],
            files=secrets(host.settings, "postgres_password", "redis_password", "realtime_secret"),
            health=["python3", "-m", "demo.healthcheck"],
            reach=Reach(aliases=["kong", "realtime", "websocket", "app"]),
        )
        super().__init__("demo", host, container, opts=opts)
