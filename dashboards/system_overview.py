"""System Overview, the home page: everything that fires, the host, its containers, and the monitoring itself."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from config.settings import Settings
from dashboards.layout import line, row
from dashboards.links import to_logs, to_page
from dashboards.page import page
from dashboards.panels import BAD, GOOD, Column, above, alert_groups, gauge, grid, series, timeline

_WINDOWS = {"5 min": "5m", "1 hour": "1h", "24 hours": "24h", "7 days": "7d", "30 days": "30d"}
_PAGES = {
    "Database": "database",
    "WebSocket": "websocket",
    "API Gateway": "api-gateway",
    "Business Metrics": "business-metrics",
}


def system_overview(settings: Settings) -> Dashboard:
    """The page `system-overview`."""
    at = settings.thresholds
    agent = settings.log_agent
    sent = {"promtail": "promtail_sent_entries_total", "alloy": "loki_write_sent_entries_total"}[agent]
    return page(
        settings,
        uid="system-overview",
        title="System Overview",
        description="Is anything wrong, and is it the host, a container, or the monitoring itself?",
        components=".+",
        height=9,
        logs='{service=~".+"}',
        rows=[
            row(
                "The host, and which services are up",
                line(
                    8,
                    gauge(
                        "CPU",
                        "CPU time in use, of all CPUs, over 5 minutes. Near the limit all on the host gets slow.",
                        "instance:node_cpu_utilisation:ratio_rate5m",
                        unit="percentunit",
                        limit=above(at["cpu_usage:ratio"]),
                        maximum=1,
                    ),
                    gauge(
                        "Memory",
                        "Memory that is not available to programs. When none is left, the kernel kills one.",
                        "instance:node_memory_utilisation:ratio",
                        unit="percentunit",
                        limit=above(at["memory_usage:ratio"]),
                        maximum=1,
                    ),
                    gauge(
                        "Disk",
                        "The fullest file system. A full one stops databases, and the monitoring too.",
                        "max by (instance) (instance_mountpoint:node_filesystem_utilisation:ratio)",
                        unit="percentunit",
                        limit=above(at["disk_usage:ratio"]),
                        maximum=1,
                    ),
                    series(
                        "Network traffic",
                        "Bytes per second that the host receives and sends, without the loopback.",
                        {
                            "received": "sum(instance:node_network_receive_bytes:rate5m)",
                            "sent": "sum(instance:node_network_transmit_bytes:rate5m)",
                        },
                        unit="Bps",
                    ),
                    widths=(4, 4, 4, 12),
                ),
                line(
                    12,
                    timeline(
                        "Service availability",
                        "Whether each service answers; for PostgreSQL and Redis, whether they answer their exporter.",
                        {"{{service}}": 'min by (service) ({__name__=~"up|pg_up|redis_up"})'},
                        {1: ("up", GOOD), 0: ("down", BAD)},
                        links=[to_page(uid, title) for title, uid in _PAGES.items()],
                    ),
                    grid(
                        "Availability",
                        "Share of the time in which each service answered; time that nobody watched does not count.",
                        {"service": "Service"},
                        {
                            title: Column(
                                f"min by (service) (instance:service_available:ratio_{window})", "percentunit"
                            )
                            for title, window in _WINDOWS.items()
                        },
                        sort="Service",
                        links={"Service": [to_logs('{service=~".*${__data.fields.Service}.*"}', "Its logs")]},
                    ),
                    widths=(13, 11),
                ),
            ),
            row(
                "Causes on the host",
                line(
                    8,
                    series(
                        "CPU by use",
                        "What CPU time goes to. Much iowait: slow disks; much steal: a neighbour on the hardware.",
                        {"{{mode}}": 'sum by (mode) (instance_mode:node_cpu_seconds:ratio_rate5m{mode!="idle"})'},
                        unit="percentunit",
                        stack=True,
                    ),
                    series(
                        "Load per CPU",
                        "Programs that run or wait to, over 5 minutes, for each CPU. Above 1 they wait for each other.",
                        {"{{instance}}": "instance:node_load5_per_cpu:ratio"},
                        unit="short",
                        limit=above(at["load_per_cpu:ratio"]),
                    ),
                    series(
                        "Memory by use",
                        "Where the memory is. Only what is used by programs cannot be had back at once.",
                        {
                            "used": "sum(node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes)",
                            "cache": "sum(node_memory_Cached_bytes + node_memory_Buffers_bytes)",
                            "total": "sum(node_memory_MemTotal_bytes)",
                        },
                        unit="bytes",
                    ),
                ),
                line(
                    8,
                    series(
                        "Disk space by file system",
                        "Share of each file system in use.",
                        {"{{mountpoint}}": "instance_mountpoint:node_filesystem_utilisation:ratio"},
                        unit="percentunit",
                        limit=above(at["disk_usage:ratio"]),
                        maximum=1,
                    ),
                    series(
                        "Disk busy",
                        "Share of time in which each disk worked. At 100 % requests queue up.",
                        {"{{device}}": "instance_device:node_disk_io_time_seconds:ratio_rate5m"},
                        unit="percentunit",
                        limit=above(at["disk_io_usage:ratio"]),
                        maximum=1,
                    ),
                    series(
                        "Disk traffic",
                        "Bytes per second read from and written to all disks.",
                        {
                            "read": "sum(instance:node_disk_read_bytes:rate5m)",
                            "written": "sum(instance:node_disk_written_bytes:rate5m)",
                        },
                        unit="Bps",
                    ),
                ),
                line(
                    7,
                    series(
                        "Network errors and drops",
                        "Packets per second that were broken or thrown away; normally none.",
                        {
                            "errors": "sum(instance:node_network_errors:rate5m)",
                            "drops": "sum(instance:node_network_drops:rate5m)",
                        },
                        unit="pps",
                    ),
                    series(
                        "Inodes by file system",
                        "Share of each file system's inodes in use. Without free ones no file can be made.",
                        {"{{mountpoint}}": "instance_mountpoint:node_filesystem_inodes_utilisation:ratio"},
                        unit="percentunit",
                        limit=above(at["disk_inodes_usage:ratio"]),
                        maximum=1,
                    ),
                    series(
                        "Major page faults",
                        "Pages per second that had to be read from disk. Many of them: memory is short.",
                        {"{{instance}}": "instance:node_vmstat_pgmajfault:rate5m"},
                        unit="short",
                    ),
                ),
            ),
            row(
                "Causes in the containers",
                line(
                    9,
                    series(
                        "CPU by container",
                        "Share of its CPU quota (of the whole host where it has none) that each container uses.",
                        {"{{name}}": "instance_name:container_cpu_usage:ratio_rate5m"},
                        unit="percentunit",
                        limit=above(at["container_cpu_usage:ratio"]),
                        many=True,
                    ),
                    series(
                        "Memory by container",
                        "Share of its memory limit that each container uses. At 100 % the kernel kills it.",
                        {"{{name}}": "instance_name:container_memory_working_set_per_limit:ratio"},
                        unit="percentunit",
                        limit=above(at["container_memory_usage:ratio"]),
                        many=True,
                    ),
                ),
                line(
                    9,
                    series(
                        "Restarts by container",
                        "Starts of each container within 15 minutes. More than one: it crashes, or somebody deploys.",
                        {"{{name}}": "instance_name:container_starts:changes15m"},
                        unit="short",
                        limit=above(at["container_restarts:count"]),
                        many=True,
                    ),
                    series(
                        "Network by container",
                        "Bytes per second that each container receives and sends.",
                        {
                            "{{name}}": "instance_name:container_network_receive_bytes:rate5m"
                            " + instance_name:container_network_transmit_bytes:rate5m"
                        },
                        unit="Bps",
                        many=True,
                    ),
                ),
            ),
            row(
                "The monitoring itself",
                line(
                    8,
                    alert_groups(
                        "In Alertmanager",
                        "What Alertmanager has to send, in its groups: alerts from metrics and from logs alike.",
                    ),
                    series(
                        "Samples and log lines",
                        "What comes in each second. If samples stop, see Prometheus; if lines do, the shipper or Loki.",
                        {
                            "samples": "sum(rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval]))",
                            "lines shipped": f"sum(rate({sent}[$__rate_interval]))",
                            "lines stored": "sum(rate(loki_distributor_lines_received_total[$__rate_interval]))",
                        },
                        unit="short",
                    ),
                    series(
                        "Scrapes by job",
                        "How long each scrape takes. Near the scrape interval, samples are lost.",
                        {"{{job}}": "max by (job) (scrape_duration_seconds)"},
                        unit="s",
                        many=True,
                    ),
                ),
                line(
                    7,
                    series(
                        "Rule evaluation",
                        "Time that the evaluation of each file of rules takes.",
                        {
                            "{{group}}": "label_replace("
                            "max by (rule_group) (prometheus_rule_group_last_duration_seconds),"
                            ' "group", "$1", "rule_group", ".*/(.*)[.]yml;.*")'
                        },
                        unit="s",
                        many=True,
                    ),
                    series(
                        "Failures",
                        "Rules not evaluated and notifications not sent, per second; normally none.",
                        {
                            "rules": "sum(rate(prometheus_rule_evaluation_failures_total[$__rate_interval]))",
                            "to Alertmanager": "sum(rate(prometheus_notifications_errors_total[$__rate_interval]))",
                            "to people": "sum(rate(alertmanager_notifications_failed_total[$__rate_interval]))",
                        },
                        unit="short",
                    ),
                    series(
                        "Memory of Loki",
                        "Resident memory of Loki, which has the largest caches of the stack.",
                        {"{{service}}": 'process_resident_memory_bytes{job="loki"}'},
                        unit="bytes",
                        limit=above(at["loki_memory:bytes"]),
                    ),
                ),
            ),
        ],
    )
