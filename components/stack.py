"""The whole stack."""

from collections.abc import Iterator

import pulumi
import pulumi_docker as docker

from components.alertmanager import Alertmanager
from components.alloy import Alloy
from components.blackbox_exporter import BlackboxExporter
from components.cadvisor import Cadvisor
from components.demo.backend import DemoBackend
from components.docker_proxy import DockerProxy
from components.grafana import Grafana
from components.host import Host, Networks
from components.loki import Loki
from components.node_exporter import NodeExporter
from components.postgres_exporter import PostgresExporter
from components.prometheus import Prometheus
from components.promtail import Promtail
from components.redis_exporter import RedisExporter
from components.service import Service
from config.alertmanager import warnings
from config.labels import stack_labels
from config.settings import Settings
from images.catalogue import builds, image_keys_of, references


class MonitoringStack(pulumi.ComponentResource):
    """Networks, volumes and containers of one stack, and what is in its Grafana.

    Gives `outputs`: the addresses that people use, by name.
    """

    def __init__(self, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitoring:index:MonitoringStack", settings.stack, {}, opts)
        for warning in warnings(settings):
            pulumi.log.warn(warning, self)
        host = self._host(settings)
        child = pulumi.ResourceOptions(parent=self)
        if settings.demo:
            DemoBackend(host, opts=child)
        # No order among services that find each other again by themselves: exporters answer without their servers, and
        # agents keep their lines until Loki takes them. Each link would cost the time of a first health check.
        agent = Promtail if settings.log_agent == "promtail" else Alloy
        services: list[Service] = [
            Prometheus(host, opts=child),
            Alertmanager(host, opts=child),
            Loki(host, opts=child),
            DockerProxy(host, opts=child),
            agent(host, opts=child),
            NodeExporter(host, opts=child),
            Cadvisor(host, opts=child),
            *self._exporters(host),
        ]
        self.outputs = {
            "prometheus": settings.prometheus.url,
            "alertmanager": settings.alertmanager_url,
            "loki": settings.loki_url,
        }
        if settings.grafana.mode != "none":
            # Imported where it is used: the provider's SDK is large, and not every stack has a Grafana.
            from components.grafana_content import GrafanaContent

            grafana = Grafana(host, opts=child) if settings.grafana.mode == "container" else None
            GrafanaContent(
                settings,
                grafana=grafana,
                deployed=[identity for service in services for identity in service.identities],
                opts=child,
            )
            self.outputs["grafana"] = settings.grafana.url
        self.register_outputs(self.outputs)

    def _exporters(self, host: Host) -> Iterator[Service]:
        """The exporters of the databases, and the one that calls endpoints as users do."""
        child = pulumi.ResourceOptions(parent=self)
        for server in host.settings.backend.postgres:
            # In the demo the exporter has a role of its own; elsewhere it is the one that is configured.
            yield PostgresExporter(
                server,
                host,
                user="exporter" if host.settings.demo else host.settings.backend.postgres_user,
                opts=child,
            )
        yield RedisExporter(host, opts=child)
        if host.settings.backend.endpoints:
            yield BlackboxExporter(host, opts=child)

    def _host(self, settings: Settings) -> Host:
        provider = docker.Provider(
            "docker", host=settings.docker_host or None, opts=pulumi.ResourceOptions(parent=self)
        )
        options = pulumi.ResourceOptions(parent=self, provider=provider)
        labels = [
            docker.NetworkLabelArgs(label=label, value=value) for label, value in stack_labels(settings.stack).items()
        ]
        networks = Networks(
            core=docker.Network("core", name=settings.name("core"), internal=True, labels=labels, opts=options),
            engine=docker.Network("engine", name=settings.name("engine"), internal=True, labels=labels, opts=options),
            edge=docker.Network("edge", name=settings.name("edge"), labels=labels, opts=options),
        )
        keys = image_keys_of(settings)
        built = {key: docker.RemoteImageBuildArgs(context=str(path)) for key, path in builds(settings, keys).items()}
        # Kept when the stack goes: other stacks on the host may use the same image.
        images = {
            key: docker.RemoteImage(
                f"{key}-image", name=reference, build=built.get(key), keep_locally=True, opts=options
            )
            for key, reference in references(settings, keys).items()
        }
        return Host(settings, provider, networks, images)
