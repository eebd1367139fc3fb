"""The demo backend: real PostgreSQL and Redis under load, and a program that speaks the metrics of the rest."""

import pulumi

from components.demo.postgres import Postgres
from components.demo.program import Demo
from components.demo.redis import Redis
from components.host import Host


class DemoBackend(pulumi.ComponentResource):
    """All of the demo backend. Gives `postgres`, `replica` and `redis` for their exporters to wait for."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitoring:demo:Backend", "demo-backend", {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.postgres = Postgres("primary", host, opts=child)
        self.replica = Postgres("replica", host, depends_on=(self.postgres,), opts=child)
        self.redis = Redis(host, opts=child)
        self.demo = Demo(host, depends_on=(self.postgres, self.redis), opts=child)
        self.register_outputs({})
