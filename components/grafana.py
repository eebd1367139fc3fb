"""Grafana's container. What is in it (data sources, dashboards) belongs to `grafana_content.py`."""

import pulumi

from components.container import Container, Reach, Stop, http_health
from components.file import File
from components.host import Host
from components.service import Service

_PASSWORD = "/run/config/admin_password"  # noqa: S105 (a path)

# Grafana takes the configured password only when it makes its database. On one that exists, the password is set at
# each start: a changed secret replaces the container, and so it really becomes the administrator's password.
_START = f"""
if [ -f /var/lib/grafana/grafana.db ]; then
  grafana cli --homepath /usr/share/grafana admin reset-admin-password --password-from-stdin < {_PASSWORD} || exit 1
fi
exec /run.sh
"""


class Grafana(Service):
    """Grafana, hardened, and the volume of its database."""

    def __init__(self, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        settings = host.settings
        password = settings.grafana.admin_password
        assert password, "config.settings refuses a container without"
        container = Container(
            image="grafana",
            component="monitoring",
            # Grafana's image belongs to the group root, so that any user id works.
            user="472:0",
            entrypoint=["/bin/sh"],
            command=["-c", _START.strip()],
            env={
                "GF_SECURITY_ADMIN_USER": settings.grafana.admin_user,
                "GF_SECURITY_ADMIN_PASSWORD__FILE": _PASSWORD,
                "GF_SERVER_ROOT_URL": settings.grafana.url,
                # Parallel writes of the provider meet "database is locked" without it.
                "GF_DATABASE_WAL": "true",
                "GF_AUTH_ANONYMOUS_ENABLED": "false",
                "GF_USERS_ALLOW_SIGN_UP": "false",
                "GF_SECURITY_DISABLE_GRAVATAR": "true",
                "GF_SECURITY_COOKIE_SAMESITE": "strict",
                "GF_SECURITY_COOKIE_SECURE": str(settings.grafana.url.startswith("https://")).lower(),
                "GF_ANALYTICS_REPORTING_ENABLED": "false",
                "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
                "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
                "GF_NEWS_NEWS_FEED_ENABLED": "false",
                "GF_DASHBOARDS_MIN_REFRESH_INTERVAL": "5s",
            },
            files=[File(_PASSWORD, password.get_secret_value(), secret=True)],
            health=http_health(3000, "/api/health"),
            reach=Reach(publish=(3000, settings.ports.grafana)),
            stop=Stop(grace=15),
        )
        super().__init__("grafana", host, container, data="/var/lib/grafana", opts=opts)
