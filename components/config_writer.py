"""Configuration that changes without a gap: checked, then mirrored into a volume, then reloaded.

A container is replaced when its uploads change, and deleted before it is replaced; a new alert rule would stop
Prometheus and replay its WAL. So the uploads belong to a short-lived container beside the service: a change replaces
that one only, and the service, which mounts the volume read-only, is asked to read it again.
"""

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from components.checked import checked
from components.file import File, uploads
from components.host import Host

# Runs with the shell and wget of the Prometheus and Alertmanager images (busybox). The files lie where the service
# reads them, so that the tool resolves relative paths and secret files as the service will.
_SCRIPT = """
set -eu
for secret in {secrets}; do mkdir -p "${{secret%/*}}" && : > "$secret"; done
{check}
mkdir /tmp/previous
cp -R /live/. /tmp/previous/
mirror() {{
  find /live -mindepth 1 -maxdepth 1 -exec rm -rf {{}} +
  cp -R "$1"/. /live/
  find /live -type d -exec chmod 755 {{}} +
}}
mirror {directory}
if ! wget -q -T 5 -O /dev/null {url}/-/healthy; then
  echo "written; {service} does not run yet and will read it when it starts"
  exit 0
fi
if wget -q -T 60 -O /dev/null --post-data= {url}/-/reload \
  && wget -q -T 5 -O - {url}/metrics | grep -q '^{metric} 1$'; then
  echo "written; {service} reloaded it"
  exit 0
fi
mirror /tmp/previous
wget -q -T 60 -O /dev/null --post-data= {url}/-/reload || true
echo "{service} refused the configuration when it reloaded it; the previous one is back" >&2
exit 1
"""


class ConfigWriter(pulumi.ComponentResource):
    """A service's configuration volume and the container that fills it.

    Takes `directory`: where the files lie, and where the service mounts the volume; `check`: the shell command by which
    the service's own tool checks them; `secrets`: paths of the secret files that they name, which belong to the service
    itself and are empty during the check (one secret among the uploads would hide in the preview which lines of the
    others change); `url`: the service's address inside the network; `reloaded_metric`: the metric by which it says that
    the last reload worked; `data`: where the image declares a volume for the service's data.

    Gives `volume`, `writer` (the container) and `written`: depend on `written` and nothing starts before the files are
    right and in place.
    """

    def __init__(
        self,
        service: str,
        host: Host,
        *,
        image: str,
        component: str,
        directory: str,
        files: Sequence[File],
        secrets: Sequence[str],
        check: str,
        url: str,
        reloaded_metric: str,
        data: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        name = f"{service}-config"
        super().__init__("monitoring:config:Writer", name, {}, opts)
        settings = host.settings
        self.volume = docker.Volume(f"{name}-volume", name=settings.name(name), opts=host.child_options(self))
        script = _SCRIPT.format(
            secrets=" ".join(secrets),
            check=check,
            directory=directory,
            url=url,
            service=service,
            metric=reloaded_metric,
        )
        self.writer = docker.Container(
            f"{name}-writer",
            name=settings.name(name),
            image=host.images[image].name,
            entrypoints=["/bin/sh"],
            command=["-c", script.strip()],
            user="0:0",
            # Root owns what it writes, so it needs no capability.
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            security_opts=["no-new-privileges:true"],
            labels=host.labels(name, component),
            uploads=uploads(files),
            mounts=[docker.ContainerMountArgs(type="volume", source=self.volume.name, target="/live")],
            # Else Docker makes a volume without a name there, which outlives a writer that is removed by hand.
            tmpfs={data: "size=1m"},
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=host.networks.core.name)],
            # Before the first start nobody has the name of the service: that answer need not be waited for.
            dns_opts=["timeout:1", "attempts:1"],
            memory=settings.memory["config-writer"],
            memory_swap=settings.memory["config-writer"],
            log_driver="json-file",
            log_opts={"max-size": "1m", "max-file": "1"},
            must_run=False,
            attach=True,
            logs=True,
            restart="no",
            opts=host.child_options(self, depends_on=[host.images[image]]),
        )
        self.written = checked(self.writer, f"the configuration of {service}")
        self.register_outputs({"volume": self.volume.name})
