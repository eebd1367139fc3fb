"""Database: PostgreSQL, its replica, and Redis in front of it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from config.settings import Settings
from dashboards.layout import line, row
from dashboards.page import Choice, page
from dashboards.panels import BAD, GOOD, Column, above, below, gauge, grid, series, timeline

_SERVER = 'instance=~"$server"'
_CALLS = f"sum by (queryid, user, datname) (rate(pg_stat_statements_calls_total{{{_SERVER}}}[$__rate_interval]))"
_SLOWEST = (
    f"topk(10, sum by (queryid, user, datname) (rate(pg_stat_statements_seconds_total{{{_SERVER}}}[$__rate_interval])))"
)


def database(settings: Settings) -> Dashboard:
    """The page `database`."""
    at = settings.thresholds
    return page(
        settings,
        uid="database",
        title="Database",
        description="Does the database answer, fast enough, and is the replica with it? And the cache in front of it?",
        components="database|redis",
        logs='{service=~".*(postgres|supabase-db|redis).*"}',
        choices=[Choice("server", "PostgreSQL server", "pg_up")],
        rows=[
            row(
                "PostgreSQL",
                line(
                    8,
                    gauge(
                        "Active connections",
                        "Share of the connections open to applications that are in use. At 100 % new ones are refused.",
                        f"instance:pg_connections_per_max:ratio{{{_SERVER}}}",
                        unit="percentunit",
                        limit=above(at["postgres_connections_usage:ratio"]),
                        maximum=1,
                        legend="{{instance}}",
                    ),
                    gauge(
                        "Cache hit ratio",
                        "Share of blocks found in shared buffers. A drop: queries read from disk, and get slow.",
                        f"instance:pg_cache_hits:ratio_rate5m{{{_SERVER}}}",
                        unit="percentunit",
                        limit=below(at["postgres_cache_hit:ratio"]),
                        maximum=1,
                        legend="{{instance}}",
                    ),
                    timeline(
                        "Servers",
                        "Whether each server answers its exporter.",
                        {"{{instance}}": f"max by (instance) (pg_up{{{_SERVER}}})"},
                        {1: ("up", GOOD), 0: ("down", BAD)},
                    ),
                    widths=(7, 7, 10),
                ),
                line(
                    8,
                    series(
                        "Transaction rate",
                        "Transactions per second that were committed, and those that were rolled back.",
                        {
                            "{{datname}} on {{instance}}": f"instance_datname:pg_commits:rate5m{{{_SERVER}}}",
                            "rolled back on {{instance}}": f"instance:pg_rollbacks:rate5m{{{_SERVER}}}",
                        },
                        unit="ops",
                    ),
                    series(
                        "Query rate",
                        "Statements per second, and those of them that count as slow by their mean duration.",
                        {
                            "all on {{instance}}": f"instance:pg_queries:rate5m{{{_SERVER}}}",
                            "slow on {{instance}}": f"instance:pg_slow_queries:rate5m{{{_SERVER}}}",
                        },
                        unit="ops",
                        limit=above(at["postgres_slow_queries:rate"]),
                    ),
                    series(
                        "Replication lag",
                        "How far each replica is behind; 0 when it has replayed all. Its readers see old data.",
                        {"{{instance}}": "instance:pg_replication_lag_seconds:max"},
                        unit="s",
                        limit=above(at["postgres_replication_lag:seconds"]),
                    ),
                ),
            ),
            row(
                "Causes in PostgreSQL",
                line(
                    8,
                    series(
                        "Connections by state",
                        "What connections do. Many 'idle in transaction': an application forgets to commit.",
                        {"{{state}} on {{instance}}": f"instance_state:pg_connections:sum{{{_SERVER}}} > 0"},
                        unit="short",
                        stack=True,
                    ),
                    series(
                        "Query duration",
                        "Mean duration of a statement.",
                        {"{{instance}}": f"instance:pg_query_duration_seconds:mean5m{{{_SERVER}}}"},
                        unit="s",
                    ),
                    series(
                        "Oldest transaction",
                        "Age of the oldest open transaction. An old one holds locks, and dead rows stay.",
                        {"{{instance}}": f"pg_long_running_transactions_oldest_timestamp_seconds{{{_SERVER}}}"},
                        unit="s",
                        limit=above(at["postgres_transaction_age:seconds"]),
                    ),
                ),
                line(
                    8,
                    series(
                        "Deadlocks",
                        "Deadlocks within 5 minutes; PostgreSQL ends each by aborting one of the transactions.",
                        {"{{datname}} on {{instance}}": f"instance_datname:pg_deadlocks:increase5m{{{_SERVER}}}"},
                        unit="short",
                        limit=above(at["postgres_deadlocks:count"]),
                    ),
                    series(
                        "Locks",
                        "Locks held or waited for.",
                        {"{{instance}}": f"instance:pg_locks:sum{{{_SERVER}}}"},
                        unit="short",
                        limit=above(at["postgres_locks:count"]),
                    ),
                    series(
                        "Rolled back",
                        "Share of transactions that were rolled back.",
                        {"{{instance}}": f"instance:pg_rollbacks_per_transaction:ratio_rate5m{{{_SERVER}}}"},
                        unit="percentunit",
                        limit=above(at["postgres_rollback:ratio"]),
                    ),
                ),
                line(
                    8,
                    series(
                        "Rows",
                        "Rows per second that were read, and that were inserted, updated or deleted.",
                        {
                            "read on {{instance}}": f"instance:pg_rows_read:rate5m{{{_SERVER}}}",
                            "written on {{instance}}": f"instance:pg_rows_written:rate5m{{{_SERVER}}}",
                        },
                        unit="ops",
                    ),
                    series(
                        "Size and temporary files",
                        "Size of all databases; and bytes per second of temporary files, for sorts that exceed memory.",
                        {
                            "size on {{instance}}": f"instance:pg_database_size_bytes:sum{{{_SERVER}}}",
                            "temporary, per second, on {{instance}}": f"instance:pg_temp_bytes:rate5m{{{_SERVER}}}",
                        },
                        unit="bytes",
                    ),
                    grid(
                        "Statements that take the most time",
                        "The ten statements with the most time spent in them each second. Look one up by its "
                        "id in pg_stat_statements.",
                        {"queryid": "Statement", "user": "User", "datname": "Database"},
                        {"Time": Column(_SLOWEST, "s"), "Calls": Column(f"{_CALLS} and {_SLOWEST}", "ops")},
                        sort="Time",
                        descending=True,
                    ),
                    widths=(7, 7, 10),
                ),
            ),
            row(
                "Redis",
                line(
                    8,
                    gauge(
                        "Redis memory",
                        "Share of maxmemory in use. At 100 % keys are evicted, or writes are refused.",
                        "instance:redis_memory_per_max:ratio",
                        unit="percentunit",
                        limit=above(at["redis_memory_usage:ratio"]),
                        maximum=1,
                        legend="{{instance}}",
                    ),
                    gauge(
                        "Redis hit ratio",
                        "Share of look-ups that found their key. A drop: the database has to answer instead.",
                        "instance:redis_keyspace_hits:ratio_rate5m",
                        unit="percentunit",
                        limit=below(at["redis_cache_hit:ratio"]),
                        maximum=1,
                        legend="{{instance}}",
                    ),
                    gauge(
                        "Redis connections",
                        "Share of maxclients in use. At 100 % new ones are refused.",
                        "instance:redis_connections_per_max:ratio",
                        unit="percentunit",
                        limit=above(at["redis_connections_usage:ratio"]),
                        maximum=1,
                        legend="{{instance}}",
                    ),
                    series(
                        "Evictions and expiries",
                        "Keys per second that were thrown out for want of memory, and that had come to their end.",
                        {
                            "evicted": "sum(instance:redis_evicted_keys:rate5m)",
                            "expired": "sum(instance:redis_expired_keys:rate5m)",
                        },
                        unit="ops",
                        limit=above(at["redis_evictions:rate"]),
                    ),
                    widths=(5, 5, 5, 9),
                ),
                line(
                    8,
                    series(
                        "Commands",
                        "Commands per second, by name.",
                        {"{{cmd}}": "sum by (cmd) (instance_cmd:redis_commands:rate5m) > 0"},
                        unit="ops",
                        stack=True,
                        many=True,
                    ),
                    series(
                        "Command duration",
                        "Mean duration of a command.",
                        {"{{instance}}": "instance:redis_command_duration_seconds:mean5m"},
                        unit="s",
                        limit=above(at["redis_command_duration:seconds"]),
                    ),
                    series(
                        "Redis traffic",
                        "Bytes per second that Redis receives and sends.",
                        {
                            "received": "sum(instance:redis_net_input_bytes:rate5m)",
                            "sent": "sum(instance:redis_net_output_bytes:rate5m)",
                        },
                        unit="Bps",
                    ),
                    widths=(10, 7, 7),
                ),
            ),
        ],
    )
