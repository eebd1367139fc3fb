"""System Overview, the home page: everything that fires, the host, its containers, and the monitoring itself."""

from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from config.settings import Settings
from dashboards.layout import Row, line, row
from dashboards.links import to_logs, to_page
from dashboards.monitoring_itself import monitoring_itself
from dashboards.page import About, page
from dashboards.panels.grid import Column, grid
from dashboards.panels.limits import Limits
from dashboards.panels.words import each, each_container, is_it_up, share, shares, split, sums, traffic

_WINDOWS = {"5 min": "5m", "1 hour": "1h", "24 hours": "24h", "7 days": "7d", "30 days": "30d"}
_PAGES = {
    "Database": "database",
    "WebSocket": "websocket",
    "API Gateway": "api-gateway",
    "Business Metrics": "business-metrics",
}

_ABOUT = About(
    "system-overview",
    "System Overview",
    "Is anything wrong, and is it the host, a container, or the monitoring itself?",
    components=".+",
    height=9,
    logs='{service=~".+"}',
)


def system_overview(settings: Settings, at: Limits) -> Dashboard:
    """The page `system-overview`."""
    return page(
        settings,
        _ABOUT,
        [_host(at), _host_causes(at), _containers(at, settings.name("")), monitoring_itself(at, settings.log_agent)],
    )


def _host(at: Limits) -> Row:
    return row(
        "The host, and which services are up",
        line(
            8,
            share(
                "CPU",
                "CPU time in use, of all CPUs, over 5 minutes. Near the limit all on the host gets slow.",
                "instance:node_cpu_utilisation:ratio_rate5m",
                at.above("cpu_usage:ratio"),
            ),
            share(
                "Memory",
                "Memory that is not available to programs. When none is left, the kernel kills one.",
                "instance:node_memory_utilisation:ratio",
                at.above("memory_usage:ratio"),
            ),
            share(
                "Disk",
                "The fullest file system. A full one stops databases, and the monitoring too.",
                "max by (instance) (instance_mountpoint:node_filesystem_utilisation:ratio)",
                at.above("disk_usage:ratio"),
            ),
            traffic(
                "Network traffic",
                "Bytes per second that the host receives and sends, without the loopback.",
                "instance:node_network_receive_bytes:rate5m",
                "instance:node_network_transmit_bytes:rate5m",
            ),
            widths=(4, 4, 4, 12),
        ),
        line(
            12,
            is_it_up(
                "Service availability",
                "Whether each service answers; for PostgreSQL and Redis, whether they answer their exporter.",
                {"{{service}}": 'min by (service) ({__name__=~"up|pg_up|redis_up"})'},
                links=[to_page(uid, title) for title, uid in _PAGES.items()],
            ),
            _availability(at),
            widths=(10, 14),
        ),
    )


def _availability(at: Limits) -> Panel:
    ratio = "min by (service) (instance:service_available:ratio_{})"
    left = "min by (service) (component:support_ends:timestamp_seconds) - time()"
    return grid(
        "Availability",
        "Share of the time in which each service answered (time that nobody watched does not count), and how long its "
        "version is still supported, where its project sets a day.",
        {"service": "Service"},
        {title: Column(ratio.format(window), "percentunit") for title, window in _WINDOWS.items()}
        | {"Support left": Column(left, "dtdurations", at.below("support_left:seconds"))},
        sort="Service",
        widths={"Support left": 125},
        links={"Service": [to_logs('{service=~".*${__data.fields.Service}.*"}', "Its logs")]},
    )


def _host_causes(at: Limits) -> Row:
    return row(
        "Causes on the host",
        line(
            9,
            split(
                "CPU by use",
                "What CPU time goes to. Much iowait: slow disks; much steal: a neighbour on the hardware.",
                "percentunit",
                "mode",
                'instance_mode:node_cpu_seconds:ratio_rate5m{mode!="idle"}',
                many=True,
            ),
            sums(
                "Memory by use",
                "Where the memory is. Only what is used by programs cannot be had back at once.",
                "bytes",
                {
                    "used": "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes",
                    "cache": "node_memory_Cached_bytes + node_memory_Buffers_bytes",
                    "total": "node_memory_MemTotal_bytes",
                },
            ),
        ),
        line(
            8,
            shares(
                "Disk space by file system",
                "Share of each file system in use.",
                "mountpoint",
                "instance_mountpoint:node_filesystem_utilisation:ratio",
                at.above("disk_usage:ratio"),
            ),
            shares(
                "Inodes by file system",
                "Share of each file system's inodes in use. Without free ones no file can be made.",
                "mountpoint",
                "instance_mountpoint:node_filesystem_inodes_utilisation:ratio",
                at.above("disk_inodes_usage:ratio"),
            ),
        ),
        line(
            8,
            shares(
                "Disk busy",
                "Share of time in which each disk worked. At 100 % requests queue up.",
                "device",
                "instance_device:node_disk_io_time_seconds:ratio_rate5m",
                at.above("disk_io_usage:ratio"),
            ),
            sums(
                "Disk traffic",
                "Bytes per second read from and written to all disks.",
                "Bps",
                {"read": "instance:node_disk_read_bytes:rate5m", "written": "instance:node_disk_written_bytes:rate5m"},
            ),
        ),
        line(
            8,
            each(
                "Load per CPU",
                "Programs that run or wait to, over 5 minutes, for each CPU. Above 1 they wait for each other.",
                "short",
                "instance",
                "instance:node_load5_per_cpu:ratio",
                at.above("load_per_cpu:ratio"),
            ),
            sums(
                "Network errors and drops",
                "Packets per second that were broken or thrown away; normally none.",
                "pps",
                {"errors": "instance:node_network_errors:rate5m", "drops": "instance:node_network_drops:rate5m"},
            ),
            each(
                "Major page faults",
                "Pages per second that had to be read from disk. Many of them: memory is short.",
                "short",
                "instance",
                "instance:node_vmstat_pgmajfault:rate5m",
            ),
        ),
    )


def _containers(at: Limits, prefix: str) -> Row:
    return row(
        "Causes in the containers",
        line(
            13,
            each_container(
                "CPU by container",
                "Share of its CPU quota (of the whole host where it has none) that each container uses.",
                "percentunit",
                "instance_name:container_cpu_usage:ratio_rate5m",
                at.above("container_cpu_usage:ratio"),
                prefix=prefix,
            ),
            each_container(
                "Memory by container",
                "Share of its memory limit that each container uses. At 100 % the kernel kills it.",
                "percentunit",
                "instance_name:container_memory_working_set_per_limit:ratio",
                at.above("container_memory_usage:ratio"),
                prefix=prefix,
            ),
        ),
        line(
            13,
            each_container(
                "Restarts by container",
                "Starts of each container within 15 minutes. More than one: it crashes, or somebody deploys.",
                "short",
                "instance_name:container_starts:changes15m",
                at.above("container_restarts:count"),
                prefix=prefix,
            ),
            each_container(
                "Network by container",
                "Bytes per second that each container receives and sends.",
                "Bps",
                "instance_name:container_network_receive_bytes:rate5m"
                " + instance_name:container_network_transmit_bytes:rate5m",
                prefix=prefix,
            ),
        ),
    )
