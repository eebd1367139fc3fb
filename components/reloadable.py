"""What Prometheus and Alertmanager are alike in: a configuration that changes while they run."""

from collections.abc import Mapping, Sequence

import pulumi

from components.config_writer import Configuration, ConfigWriter
from components.container import Container, Reach, Stop, http_health
from components.file import File
from components.host import Host
from components.service import Service


class Reloadable(Service):
    """A server of the Prometheus project, the volume of its data, and the writer of its configuration.

    Takes
      directory   where its configuration lies
      files       path there -> content of the files that change while it runs; `<service>.yml` is the main one
      secrets     the secret files that they name; a change replaces the server
      check       the command of the image's own tool that checks the main file, without the path of that
      data        where it keeps its data
      arguments   its command line, beside the configuration and its address
      url         its address for people
      grace       seconds that it gets to stop
      reach       its networks; what it publishes is also the port by which it is reloaded
    """

    def __init__(
        self,
        service: str,
        host: Host,
        *,
        directory: str,
        files: Mapping[str, str],
        secrets: Sequence[File],
        check: str,
        data: str,
        arguments: Sequence[str],
        url: str,
        reach: Reach,
        grace: int = 10,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        assert reach.publish, "people look at it"
        port, _ = reach.publish
        main = f"{directory}/{service}.yml"
        configuration = Configuration(
            directory=directory,
            files=[File(f"{directory}/{path}", text) for path, text in files.items()],
            secrets=secrets,
            check=f"{check} {main}",
            url=f"http://{service}:{port}",
            reloaded_metric=f"{service}_config_last_reload_successful",
        )
        container = Container(
            image=service,
            component="monitoring",
            user="65534:65534",
            command=[f"--config.file={main}", *arguments, f"--web.external-url={url}"],
            files=secrets,
            health=http_health(port, "/-/healthy"),
            reach=reach,
            stop=Stop(grace=grace),
        )
        config = ConfigWriter(
            service, host, configuration, image=container.image, component=container.component, data=data, opts=opts
        )
        super().__init__(service, host, container, data=data, config=config, opts=opts)
