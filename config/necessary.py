"""Which keys a stack needs, as its other keys have it."""

from collections.abc import Iterator

from config.keys import Keys, environment_variables, secret_keys
from config.project import PROJECT
from config.way_out import make_with, set_with


def required_secrets(grafana_mode: str) -> list[str]:
    """Keys of the secrets that a demo stack needs, and which can be generated, as nothing outside knows them."""
    secrets = ["postgresPassword", "redisPassword", "realtimeMetricsSecret"]
    return secrets + (["grafanaAdminPassword"] if grafana_mode == "container" else [])


def missing(keys: Keys, wrong: set[str]) -> list[str]:
    """A line for every key that the other keys make necessary; what is there but `wrong` has its own line already."""
    if wrong & {"demo", "grafanaMode"}:
        return []  # what is necessary depends on these two
    given = keys.model_dump(by_alias=True)
    needed = [(key, reason) for key, reason in _needed(keys) if key not in wrong and not given[key]]
    lines = []
    # Passwords that nothing outside of a demo knows: whatever they are made to be is right.
    free = [key for key, _ in needed if keys.demo and key in required_secrets(keys.grafana_mode)]
    if len(free) > 1:
        names = ", ".join(f"{PROJECT}:{key}" for key in free)
        lines.append(f"{names} are missing (the demo needs them); make them with: {make_with(free)}")
        needed = [(key, reason) for key, reason in needed if key not in free]
    variables = environment_variables()
    for key, reason in needed:
        secret = key in secret_keys()
        variable = f", or set {variables[key]} in the environment or .env" if key in variables else ""
        command = set_with(key, "" if secret else "VALUE", secret=secret)
        lines.append(f"{PROJECT}:{key} is missing ({reason}); set it with: {command}{variable}")
    return lines


def _needed(keys: Keys) -> Iterator[tuple[str, str]]:
    """Every key that the other keys make necessary, and why, whether it is given or not."""
    if keys.grafana_mode == "container":
        yield "grafanaAdminPassword", "Grafana runs as a container"
    if keys.grafana_mode == "external":
        yield "grafanaUrl", "grafanaMode is external"
        yield "grafanaToken", "grafanaMode is external"
    if keys.demo:
        for key in required_secrets(grafana_mode="none"):
            yield key, "the demo backend needs it"
    else:
        yield "postgresHost", "demo is off"
        yield "redisHost", "demo is off"
        if keys.postgres_host:
            yield "postgresPassword", "postgresHost is set"
        if keys.realtime_addresses:
            yield "realtimeMetricsSecret", "realtimeAddresses is set"
    if keys.smtp_host:
        yield "smtpFrom", "smtpHost is set"
        if keys.smtp_username:
            yield "smtpPassword", "smtpUsername is set"
