"""Database: PostgreSQL, its replica, and Redis in front of it."""

from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from config.settings import Settings
from dashboards.layout import Row, line, row
from dashboards.page import About, Choice, page
from dashboards.panels.grid import Column, grid
from dashboards.panels.limits import Limits
from dashboards.panels.series import series
from dashboards.panels.words import each, is_it_up, share_of_each, sums, traffic

_SERVER = '{instance=~"$server"}'

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
            11,
            series(
                "Transaction rate",
                "Transactions per second that were committed, and those that were rolled back.",
                "ops",
                {
                    "commits, {{instance}}": f"sum by (instance) (instance_datname:pg_commits:rate5m{_SERVER})",
                    "rollbacks, {{instance}}": f"instance:pg_rollbacks:rate5m{_SERVER}",
                },
            ),
            series(
                "Query rate",
                "Statements per second, and those of them that count as slow by their mean duration.",
                "ops",
                {
                    "all, {{instance}}": f"instance:pg_queries:rate5m{_SERVER}",
                    "slow, {{instance}}": f"instance:pg_slow_queries:rate5m{_SERVER}",
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
            11,
            series(
                "Connections by state",
                "What connections do, on all servers. Many 'idle in transaction': an application forgets to commit.",
                "short",
                {"{{state}}": f"sum by (state) (instance_state:pg_connections:sum{_SERVER}) > 0"},
                stack=True,
                many=True,
            ),
            series(
                "Deadlocks",
                "Deadlocks within 5 minutes; PostgreSQL ends each by aborting one of the transactions.",
                "short",
                {"{{datname}} on {{instance}}": f"instance_datname:pg_deadlocks:increase5m{_SERVER}"},
                at.above("postgres_deadlocks:count"),
            ),
            widths=(14, 10),
        ),
        line(
            8,
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
            11,
            each(
                "Locks",
                "Locks held or waited for.",
                "short",
                "instance",
                f"instance:pg_locks:sum{_SERVER}",
                at.above("postgres_locks:count"),
            ),
            series(
                "Rows",
                "Rows per second that were read, and that were inserted, updated or deleted.",
                "ops",
                {
                    "read, {{instance}}": f"instance:pg_rows_read:rate5m{_SERVER}",
                    "written, {{instance}}": f"instance:pg_rows_written:rate5m{_SERVER}",
                },
            ),
            series(
                "Size and temporary files",
                "Size of all databases; and bytes per second of temporary files, for sorts that exceed memory.",
                "bytes",
                {
                    "size, {{instance}}": f"instance:pg_database_size_bytes:sum{_SERVER}",
                    "temporary, {{instance}}": f"instance:pg_temp_bytes:rate5m{_SERVER}",
                },
            ),
        ),
        line(12, _statements()),
    )


def _statements() -> Panel:
    who = "queryid, user, datname"
    # One text for each statement: two servers may have it with other spaces.
    text = f"topk by (queryid) (1, max by (queryid, statement) (pg_statement_info{_SERVER}))"
    total = f"sum by ({who}) (increase(pg_stat_statements_seconds_total{_SERVER}[$__range]))"
    calls = f"sum by ({who}) (increase(pg_stat_statements_calls_total{_SERVER}[$__range]))"
    slowest = f"topk(10, {total})"
    return grid(
        "Statements that take the most time",
        "The ten statements in which the most time was spent within the time shown; $1, $2 stand for values. A command "
        "other than SELECT, INSERT, UPDATE, DELETE or MERGE has no text here: look it up by its id in "
        "pg_stat_statements.",
        {"statement": "Statement", "user": "User", "datname": "Database", "queryid": "Id"},
        {
            "Calls": Column(f"{calls} and {slowest}", "short"),
            "Mean": Column(f"{total} / ({calls} > 0) and {slowest}", "s"),
            "Total": Column(f"{slowest} * on (queryid) group_left (statement) {text} or on ({who}) {slowest}", "s"),
        },
        sort="Total",
        descending=True,
        wide="Statement",
        widths={"User": 130, "Database": 100, "Id": 180, "Calls": 80, "Mean": 90, "Total": 90},
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
            11,
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
            widths=(12, 6, 6),
        ),
    )
