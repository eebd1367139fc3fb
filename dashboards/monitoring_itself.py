"""The row of the System Overview about the monitoring: what it has to say, and whether it works."""

from dashboards.layout import Row, line, row
from dashboards.panels.alerts import firing_rules
from dashboards.panels.limits import Limits
from dashboards.panels.series import series
from dashboards.panels.words import each, split, sums

# How many lines the log agent has sent, by the agent's name.
_SENT = {"promtail": "promtail_sent_entries_total", "alloy": "loki_write_sent_entries_total"}
_EVALUATION = "prometheus_rule_group_last_duration_seconds"


def monitoring_itself(at: Limits, log_agent: str) -> Row:
    """What Alertmanager has, what comes in, and how Prometheus and Loki bear it; `log_agent` as in the settings."""
    return row(
        "The monitoring itself",
        line(
            9,
            firing_rules(
                "Rules that fire",
                "Alert rules of Prometheus and of Loki, so alerts from metrics and from logs alike, the newest first.",
                '{priority=~"P.+"}',
            ),
            split(
                "In Alertmanager",
                "Alerts that Alertmanager has: active ones are sent to people; suppressed ones are silenced, or follow "
                "from another.",
                "short",
                "state",
                "alertmanager_alerts",
            ),
            sums(
                "Failures",
                "Rules not evaluated and notifications not sent, per second; normally none.",
                "short",
                {
                    "rules": _rate("prometheus_rule_evaluation_failures_total"),
                    "to Alertmanager": _rate("prometheus_notifications_errors_total"),
                    # Without a receiver, Alertmanager has no such series.
                    "to people": f"{_rate('alertmanager_notifications_failed_total')} or vector(0)",
                },
            ),
        ),
        line(
            12,
            series(
                "Scrapes by job",
                "How long each scrape takes. Near the scrape interval, samples are lost.",
                "s",
                {"{{job}}": "max by (job) (scrape_duration_seconds)"},
                many=True,
            ),
            series(
                "Rule evaluation",
                "Time that the evaluation of a file of rules takes, of the ten slowest.",
                "s",
                {
                    "{{group}}": "label_replace("
                    f"max by (rule_group) ({_EVALUATION}) and topk(10, max by (rule_group) "
                    f"(max_over_time({_EVALUATION}[$__range] @ end()))),"
                    ' "group", "$1", "rule_group", ".*/(.*)[.]yml;.*")'
                },
                many=True,
            ),
        ),
        line(
            9,
            sums(
                "Samples and log lines",
                "What comes in each second. If samples stop, see Prometheus; if lines do, the shipper or Loki.",
                "short",
                {
                    "samples": _rate("prometheus_tsdb_head_samples_appended_total"),
                    "lines shipped": _rate(_SENT[log_agent]),
                    "lines stored": _rate("loki_distributor_lines_received_total"),
                },
            ),
            each(
                "Memory of Loki",
                "Resident memory of Loki, which has the largest caches of the stack.",
                "bytes",
                "service",
                'process_resident_memory_bytes{job="loki"}',
                at.above("loki_memory:bytes"),
            ),
        ),
    )


def _rate(counter: str) -> str:
    return f"rate({counter}[$__rate_interval])"
