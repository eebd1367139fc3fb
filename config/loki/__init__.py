"""Loki's configuration."""

from pathlib import Path
from string import Template

from config.settings import Settings

_DIRECTORY = Path(__file__).parent
# Loki's retention takes hours and no days.
_HOURS = {"d": 24, "w": 24 * 7}


def loki_files(settings: Settings) -> dict[str, str]:
    """Relative path -> content of the files below /etc/loki: `loki.yaml` and the ruler's files."""
    retention = settings.loki_retention
    hours = int(retention[:-1]) * _HOURS[retention[-1]]
    files = {f"rules/fake/{path.name}": path.read_text() for path in sorted((_DIRECTORY / "rules").glob("*.yaml"))}
    files["loki.yaml"] = Template((_DIRECTORY / "loki.yaml").read_text()).substitute(retention=f"{hours}h")
    return files
