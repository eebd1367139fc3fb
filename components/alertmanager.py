"""Alertmanager: routes alerts to PagerDuty, Slack and email."""

import pulumi

from components.config_writer import ConfigWriter
from components.file import File
from components.host import Host
from components.service import Service
from config.alertmanager import DIRECTORY, SECRETS, alertmanager_files, alertmanager_secrets

_DATA = "/alertmanager"


class Alertmanager(Service):
    """Alertmanager, the volume of its silences and notification log, and the writer of its configuration."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        settings = host.settings
        secrets = [
            File(f"{SECRETS}/{name}", secret.get_secret_value(), secret=True)
            for name, secret in alertmanager_secrets(settings).items()
        ]
        config = ConfigWriter(
            "alertmanager",
            host,
            image="alertmanager",
            component="monitoring",
            directory=DIRECTORY,
            files=[File(f"{DIRECTORY}/{path}", text) for path, text in alertmanager_files(settings).items()],
            secrets=[file.path for file in secrets],
            check=f"amtool check-config {DIRECTORY}/alertmanager.yml",
            url="http://alertmanager:9093",
            reloaded_metric="alertmanager_config_last_reload_successful",
            data=_DATA,
            opts=opts,
        )
        super().__init__(
            "alertmanager",
            host,
            image="alertmanager",
            component="monitoring",
            user="65534:65534",
            command=[
                f"--config.file={DIRECTORY}/alertmanager.yml",
                "--storage.path=/alertmanager",
                # Silences and the notification log are on disk that soon; otherwise SIGKILL loses up to 15 minutes.
                "--data.maintenance-interval=15s",
                # One instance: it has no peers to gossip with.
                "--cluster.listen-address=",
                f"--web.external-url={settings.alertmanager_url}",
            ],
            health=["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9093/-/healthy"],
            data=_DATA,
            config=config,
            config_directory=DIRECTORY,
            files=secrets,
            publish=(9093, settings.ports.alertmanager),
            opts=opts,
        )
