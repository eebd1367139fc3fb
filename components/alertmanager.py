"""Alertmanager: routes alerts to PagerDuty, Slack and email."""

import pulumi

from components.container import Reach
from components.file import File
from components.host import Host
from components.reloadable import Reloadable
from config.alertmanager import DIRECTORY, FLAGS, SECRETS, alertmanager_files, alertmanager_secrets


class Alertmanager(Reloadable):
    """Alertmanager, the volume of its silences and notification log, and the writer of its configuration."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        settings = host.settings
        secrets = alertmanager_secrets(settings).items()
        super().__init__(
            "alertmanager",
            host,
            directory=DIRECTORY,
            files=alertmanager_files(settings),
            secrets=[File(f"{SECRETS}/{name}", value.get_secret_value(), secret=True) for name, value in secrets],
            check="amtool check-config",
            data="/alertmanager",
            arguments=[
                "--storage.path=/alertmanager",
                *FLAGS,
            ],
            url=settings.alertmanager_url,
            reach=Reach(publish=(9093, settings.ports.alertmanager)),
            opts=opts,
        )
