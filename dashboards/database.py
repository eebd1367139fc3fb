"""Database: PostgreSQL, its replica, and Redis in front of it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from config.settings import Settings
from dashboards.layout import Row, line, row
from dashboards.page import About, Choice, page
from dashboards.panels.grid import Column, grid
from dashboards.panels.limits import Limits
from dashboards.panels.series import series
from dashboards.panels.words import each, is_it_up, share_of_each, sums, traffic

_SERVER = '{instance=~"$server"}'
_CALLS = f"sum by (queryid, user, datname) (rate(pg_stat_statements_calls_total{_SERVER}[$__rate_interval]))"
_SLOWEST = (
    f"topk(10, sum by (queryid, user, datname) (rate(pg_stat_statements_seconds_total{_SERVER}[$__rate_interval])))"
)

_ABOUT = About(
    "database",
    "Database",
    "Does the database answer, fast enough, and is the replica with it? And the cache in front of it?",
    components="database|redis",
    logs='{service=~".*(postgres|supabase-db|redis).*"}',
    choices=(Choice("server", "PostgreSQL server", "pg_up"),),
)


def database(settings: Settings, at: Limits) -> Dashboard:
    """The page `database`."""
    return page(settings, _ABOUT, [_postgres(at), _causes(at), _redis(at)])


def _postgres(at: Limits) -> Row:
    return row(
        "PostgreSQL",
        line(
            8,
            share_of_each(
                "Active connections",
                "Share of the connections open to applications that are in use. At 100 % new ones are refused.",
                f"instance:pg_connections_per_max:ratio{_SERVER}",
                at.above("postgres_connections_usage:ratio"),
            ),
            share_of_each(
                "Cache hit ratio",
                "Share of blocks found in shared buffers. A drop: queries read from disk, and get slow.",
                f"instance:pg_cache_hits:ratio_rate5m{_SERVER}",
                at.below("postgres_cache_hit:ratio"),
            ),
            is_it_up(
                "Servers",
                "Whether each server answers its exporter.",
                {"{{instance}}": f"max by (instance) (pg_up{_SERVER})"},
            ),
            widths=(7, 7, 10),
        ),
        line(
            8,
            series(
                "Transaction rate",
                "Transactions per second that were committed, and those that were rolled back.",
                "ops",
                {
                    "{{datname}} on {{instance}}": f"instance_datname:pg_commits:rate5m{_SERVER}",
                    "rolled back on {{instance}}": f"instance:pg_rollbacks:rate5m{_SERVER}",
                },
            ),
            series(
                "Query rate",
                "Statements per second, and those of them that count as slow by their mean duration.",
                "ops",
                {
                    "all on {{instance}}": f"instance:pg_queries:rate5m{_SERVER}",
                    "slow on {{instance}}": f"instance:pg_slow_queries:rate5m{_SERVER}",
                },
                at.above("postgres_slow_queries:rate"),
            ),
            each(
                "Replication lag",
                "How far each replica is behind; 0 when it has replayed all. Its readers see old data.",
                "s",
                "instance",
                "instance:pg_replication_lag_seconds:max",
                at.above("postgres_replication_lag:seconds"),
            ),
        ),
    )


def _causes(at: Limits) -> Row:
    return row(
        "Causes in PostgreSQL",
        line(
            8,
            series(
                "Connections by state",
                "What connections do. Many 'idle in transaction': an application forgets to commit.",
                "short",
                {"{{state}} on {{instance}}": f"instance_state:pg_connections:sum{_SERVER} > 0"},
                stack=True,
            ),
            each(
                "Query duration",
                "Mean duration of a statement.",
                "s",
                "instance",
                f"instance:pg_query_duration_seconds:mean5m{_SERVER}",
            ),
            each(
                "Oldest transaction",
                "Age of the oldest open transaction. An old one holds locks, and dead rows stay.",
                "s",
                "instance",
                f"pg_long_running_transactions_oldest_timestamp_seconds{_SERVER}",
                at.above("postgres_transaction_age:seconds"),
            ),
        ),
        line(
            8,
            series(
                "Deadlocks",
                "Deadlocks within 5 minutes; PostgreSQL ends each by aborting one of the transactions.",
                "short",
                {"{{datname}} on {{instance}}": f"instance_datname:pg_deadlocks:increase5m{_SERVER}"},
                at.above("postgres_deadlocks:count"),
            ),
            each(
                "Locks",
                "Locks held or waited for.",
                "short",
                "instance",
                f"instance:pg_locks:sum{_SERVER}",
                at.above("postgres_locks:count"),
            ),
            each(
                "Rolled back",
                "Share of transactions that were rolled back.",
                "percentunit",
                "instance",
                f"instance:pg_rollbacks_per_transaction:ratio_rate5m{_SERVER}",
                at.above("postgres_rollback:ratio"),
            ),
        ),
        line(
            8,
            series(
                "Rows",
                "Rows per second that were read, and that were inserted, updated or deleted.",
                "ops",
                {
                    "read on {{instance}}": f"instance:pg_rows_read:rate5m{_SERVER}",
                    "written on {{instance}}": f"instance:pg_rows_written:rate5m{_SERVER}",
                },
            ),
            series(
                "Size and temporary files",
                "Size of all databases; and bytes per second of temporary files, for sorts that exceed memory.",
                "bytes",
                {
                    "size on {{instance}}": f"instance:pg_database_size_bytes:sum{_SERVER}",
                    "temporary, per second, on {{instance}}": f"instance:pg_temp_bytes:rate5m{_SERVER}",
                },
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
    )


def _redis(at: Limits) -> Row:
    return row(
        "Redis",
        line(
            8,
            share_of_each(
                "Redis memory",
                "Share of maxmemory in use. At 100 % keys are evicted, or writes are refused.",
                "instance:redis_memory_per_max:ratio",
                at.above("redis_memory_usage:ratio"),
            ),
            share_of_each(
                "Redis hit ratio",
                "Share of look-ups that found their key. A drop: the database has to answer instead.",
                "instance:redis_keyspace_hits:ratio_rate5m",
                at.below("redis_cache_hit:ratio"),
            ),
            share_of_each(
                "Redis connections",
                "Share of maxclients in use. At 100 % new ones are refused.",
                "instance:redis_connections_per_max:ratio",
                at.above("redis_connections_usage:ratio"),
            ),
            sums(
                "Evictions and expiries",
                "Keys per second that were thrown out for want of memory, and that had come to their end.",
                "ops",
                {
                    "evicted": "instance:redis_evicted_keys:rate5m",
                    "expired": "instance:redis_expired_keys:rate5m",
                },
                at.above("redis_evictions:rate"),
            ),
            widths=(5, 5, 5, 9),
        ),
        line(
            8,
            series(
                "Commands",
                "Commands per second, by name.",
                "ops",
                {"{{cmd}}": "sum by (cmd) (instance_cmd:redis_commands:rate5m) > 0"},
                stack=True,
                many=True,
            ),
            each(
                "Command duration",
                "Mean duration of a command.",
                "s",
                "instance",
                "instance:redis_command_duration_seconds:mean5m",
                at.above("redis_command_duration:seconds"),
            ),
            traffic(
                "Redis traffic",
                "Bytes per second that Redis receives and sends.",
                "instance:redis_net_input_bytes:rate5m",
                "instance:redis_net_output_bytes:rate5m",
            ),
            widths=(10, 7, 7),
        ),
    )
