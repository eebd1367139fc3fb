"""The demo backend: real PostgreSQL and Redis under load, and a program that speaks the metrics of the rest."""

import pulumi

from components.demo.nginx import Nginx
from components.demo.postgres import Postgres
from components.demo.program import Demo
from components.demo.redis import Redis
from components.host import Host


class DemoBackend(pulumi.ComponentResource):
    """All of the demo backend.

    Nothing in it waits for anything: the replica's script and the program try again until they reach what they need.
    """

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitoring:demo:Backend", "demo-backend", {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        Postgres("primary", host, opts=child)
        Postgres("replica", host, opts=child)
        Redis(host, opts=child)
        Demo(host, opts=child)
        Nginx(host, opts=child)
        self.register_outputs({})
