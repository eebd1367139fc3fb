"""The links of an alert to its runbook and its dashboard, which rules name without knowing in which stack they are."""

from config.settings import Settings


def external_labels(settings: Settings) -> dict[str, str]:
    """The labels that Prometheus and Loki's ruler add to each alert.

    The two bases are for the annotations of rules, which so stay plain YAML that is the same in every stack.
    """
    return {
        "project": settings.project,
        "stack": settings.stack,
        "runbook_base": settings.runbook_base_url,
        "grafana_base": "" if settings.grafana.mode == "none" else settings.grafana.url,
    }


def overview_links(alert: str) -> dict[str, str]:
    """The annotations of an alert that is made by code: its runbook, and the System Overview as its dashboard."""
    return {
        "runbook_url": f"{{{{ $externalLabels.runbook_base }}}}/{alert}.md",
        "dashboard_url": "{{ with $externalLabels.grafana_base }}{{ . }}/d/system-overview{{ end }}",
    }
