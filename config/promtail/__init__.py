"""Promtail's configuration, which Grafana Alloy reads as well."""

from pathlib import Path
from string import Template

from config.settings import Settings

_DIRECTORY = Path(__file__).parent


def promtail_files(settings: Settings) -> dict[str, str]:
    """Relative path -> content of the files below /etc/promtail: `promtail.yaml`.

    A stack with a demo backend ships the logs of its own containers; another one, of every container on the host.
    """
    keep = settings.stack if settings.demo else ".*"
    text = (_DIRECTORY / "promtail.yaml").read_text()
    return {"promtail.yaml": Template(text).substitute(stack=settings.stack, keep=keep, project=settings.project)}
