"""Configuration that changes without a gap: checked, then mirrored into a volume, then reloaded.

A container is replaced when its uploads change, and deleted before it is replaced; a new alert rule would stop
Prometheus and replay its WAL. So the uploads belong to a short-lived container beside the service: a change replaces
that one only, and the service, which mounts the volume read-only, is asked to read it again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.container import Container, Mount
from components.file import File
from components.host import Host
from components.once import checked, run_once
from components.pack import pack, unpack_command

PACKED = "/configuration"
"""Where a writer finds all the files that it is to write, in one."""

# Runs with the shell, awk and wget of the Prometheus and Alertmanager images (busybox), also where a service's own
# image has none. The files lie where the service reads them, so that the tool resolves relative paths and secret files
# as the service will.
_SCRIPT = """
set -eu
{unpack}
for secret in {secrets}; do mkdir -p "${{secret%/*}}" && : > "$secret"; done
{of.check}
before=$(ls -A /live)
rm -rf /tmp/previous
mkdir /tmp/previous
cp -R /live/. /tmp/previous/
# The marker: a volume is never empty again, wherever this is interrupted.
mirror() {{
  : > /live/.writing
  find /live -mindepth 1 -maxdepth 1 ! -name .writing -exec rm -rf {{}} +
  cp -R "$1"/. /live/
  find /live -type d -exec chmod 755 {{}} +
  rm -f /live/.writing
}}
mirror {of.directory}
# The service never ran on an empty volume: it is not looked for, as a name that nobody has takes a second to look up.
if [ -z "$before" ] || ! wget -q -T 5 -O /dev/null {of.url}{of.healthy}; then
  echo "written; {service} does not run yet and will read it when it starts"
  exit 0
fi
if {of.reload}; then
  echo "written; {service} reloaded it"
  exit 0
fi
mirror /tmp/previous
{of.reload} || true
echo "{service} refused the configuration when it reloaded it; the previous one is back" >&2
exit 1
"""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a service reads, and who says that it is right.

    directory         where the files lie, and where the service mounts the volume
    files             the files
    secrets           the secret files that they name, which belong to the service itself and are empty during the check
                      (one secret among the uploads would hide in the preview which lines of the others change)
    check             the shell command by which the service's own tool checks the files
    url               the service's address inside the network
    healthy           the path that answers while it runs
    reloaded_metric   the metric by which it says that the last reload, which it is asked for, worked
    reread            in place of that: the path that answers well only where it can read the files, which it does
                      again and again by itself
    """

    directory: str
    files: Sequence[File]
    secrets: Sequence[File]
    check: str = "true"
    url: str
    healthy: str = "/-/healthy"
    reloaded_metric: str = ""
    reread: str = ""

    @property
    def reload(self) -> str:
        """The shell command that succeeds when the service has taken the files that are in place now."""
        if self.reread:
            return f"wget -q -T 30 -O /dev/null {self.url}{self.reread}"
        asked = f"wget -q -T 60 -O /dev/null --post-data= {self.url}/-/reload"
        return f"{asked} && wget -q -T 5 -O - {self.url}/metrics | grep -q '^{self.reloaded_metric} 1$'"


def script(service: str, configuration: Configuration) -> str:
    """What the writer of a service's configuration runs, for a shell; its files are packed in one, at PACKED."""
    secrets = " ".join(file.path for file in configuration.secrets)
    unpack = unpack_command(PACKED, configuration.files)
    return _SCRIPT.format(service=service, of=configuration, secrets=secrets, unpack=unpack).strip()


class ConfigWriter(pulumi.ComponentResource):
    """A service's configuration volume and the container that fills it.

    Takes the `image` in which it runs, which must have a shell, awk and wget, and `data`: where that image declares a
    volume for its data; the `component` of the service; and `gate`, where the tool that checks is in another image:
    given the parent, it makes what must have ended well before the files are written.

    Gives `volume`, the `directory` where it is mounted, `writer` (the container) and `written`: depend on `written` and
    nothing starts before the files are right and in place.
    """

    def __init__(
        self,
        service: str,
        host: Host,
        configuration: Configuration,
        *,
        image: str,
        component: str,
        data: str,
        gate: Callable[[pulumi.Resource], pulumi.Output[docker.Container]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        name = f"{service}-config"
        super().__init__("monitoring:config:Writer", name, {}, opts)
        self.directory = configuration.directory
        self.volume = docker.Volume(f"{name}-volume", name=host.settings.name(name), opts=host.child_options(self))
        writer = Container(
            image=image,
            component=component,
            # Root owns what it writes, so it needs no capability.
            user="0:0",
            groups=(),
            entrypoint=["/bin/sh"],
            command=["-c", script(service, configuration)],
            files=[pack(PACKED, configuration.files)],
            mounts=[Mount(self.volume.name, "/live", "volume", read_only=False)],
            # Else Docker makes a volume without a name there, which outlives a writer that is removed by hand.
            # And root, without a capability, may not write into a directory of the image that is another's.
            tmpfs={data: "size=1m", configuration.directory: "size=8m,mode=0755"},
            # While the service is stopped nobody has its name. Docker asks the server upstream for such a name, and
            # this one refuses at once: seen, the writer then takes 1.8 s in place of 4.9 s with the host's own.
            dns=["127.0.0.1"],
            dns_options=["timeout:1", "attempts:1"],
        )
        passed = [gate(self)] if gate else []
        self.writer = run_once(writer, name, host, parent=self, resource=f"{name}-writer", depends_on=passed)
        self.written = checked(self.writer, f"the configuration of {service}")
        self.register_outputs({"volume": self.volume.name})
