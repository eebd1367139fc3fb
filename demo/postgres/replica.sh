#!/bin/sh
# Starts the demo's PostgreSQL replica: a hot standby that streams from the primary.
#
# Works with the official image and with Debian's packages alike, from PostgreSQL 15 on, as the user postgres (uid 999
# there), without their entry points.
#
#   PGDATA         where the data goes: a directory that need not exist, inside the volume (not its root)
#   PRIMARY_HOST   the primary (default: postgres)
#   PRIMARY_PORT   its port (default: 5432)
#   secrets/ beside this script: replicator_password
#
# The data is only a copy. It is fetched anew when there is none, when it is the copy of another database, when
# the primary no longer has the WAL it needs, or when the server fails to start with it again and again.
# Writes to $PGDATA's parent and to /tmp. Stop it with SIGINT (a fast shutdown): SIGTERM waits for the clients.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
: "${PGDATA:?PGDATA: set it to a directory inside the data volume}"
host=${PRIMARY_HOST:-postgres}
port=${PRIMARY_PORT:-5432}
slot=replica
starts=$PGDATA.starts
# Debian has the programs in a directory with the version's name, outside PATH.
for programs in /usr/lib/postgresql/*/bin; do PATH=$PATH:$programs; done
export LC_ALL=C.UTF-8 PGCONNECT_TIMEOUT=5

say() {
    echo "replica: $1" >&2
}

# While this shell is process 1 it must die of these itself.
trap 'exit 0' INT TERM

[ -s "$here/secrets/replicator_password" ] || { say "$here/secrets/replicator_password: missing or empty"; exit 1; }
mkdir -p "$(dirname "$PGDATA")" 2>/dev/null || { say "PGDATA: cannot create $(dirname "$PGDATA")"; exit 1; }

# The password goes to the server and the tools in a file: in an argument or in the data it could be read.
export PGPASSFILE="${TMPDIR:-/tmp}/replicator.pgpass"
(umask 077 && sed 's/[\\:]/\\&/g; s/^/*:*:*:replicator:/' "$here/secrets/replicator_password" >"$PGPASSFILE")
conninfo="host=$host port=$port user=replicator application_name=$slot connect_timeout=5 keepalives_idle=10 \
keepalives_interval=3 keepalives_count=3"

ask() {
    psql --no-psqlrc --no-password --tuples-only --no-align --command="$2" "$conninfo dbname=$1" 2>/dev/null
}

# Prints why the data cannot be used, or nothing.
unusable() {
    [ -s "$PGDATA/PG_VERSION" ] || { echo "there is no data"; return; }
    mine=$(pg_controldata "$PGDATA" 2>/dev/null | sed -n 's/^Database system identifier: *//p')
    [ -n "$mine" ] || { echo "its control file cannot be read"; return; }
    # Three starts within a minute: whatever is wrong, it does not go away by itself.
    recent=$(($(date +%s) - 60))
    quick=$(tail -n 3 "$starts" 2>/dev/null | awk -v recent="$recent" '$1 > recent' | wc -l)
    [ "$quick" -lt 3 ] || { echo "the server ended three times within a minute"; return; }
    # The rest only the primary can tell. If it is away, the copy serves readers as it is.
    theirs=$(ask postgres "SELECT system_identifier FROM pg_control_system()") || return 0
    [ "$mine" = "$theirs" ] || { echo "it is the copy of another database"; return; }
    state=$(ask postgres "SELECT wal_status FROM pg_replication_slots WHERE slot_name = '$slot'") || return 0
    case $state in
    reserved | extended | unreserved | "") ;;
    *) echo "the primary no longer has the WAL it needs" ;;
    esac
}

# A slot that has lost its WAL is of no more use, and one that is missing has to be made.
renew_slot() {
    ask postgres "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
        WHERE slot_name = '$slot' AND NOT active AND wal_status = 'lost'" >/dev/null &&
        ask postgres "SELECT pg_create_physical_replication_slot('$slot')
            WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '$slot')" >/dev/null
}

fetch() {
    rm -rf "$PGDATA.new"
    renew_slot && pg_basebackup --pgdata="$PGDATA.new" --dbname="$conninfo" --no-password --checkpoint=fast \
        --wal-method=stream --slot="$slot" 2>"$PGDATA.problem"
}

reason=$(unusable)
if [ -n "$reason" ]; then
    say "fetching the data from $host:$port: $reason"
    until fetch; do
        say "not yet: $(tail -n 1 "$PGDATA.problem" 2>/dev/null || echo "$host:$port does not answer")"
        # Short naps: a signal is noticed between them.
        for _ in 1 2; do sleep 1; done
    done
    touch "$PGDATA.new/standby.signal"
    rm -rf "$PGDATA" "$starts" "$PGDATA.problem"
    mv "$PGDATA.new" "$PGDATA"
    say "the data is here"
fi

{ tail -n 2 "$starts" 2>/dev/null || true; date +%s; } >"$starts.new" && mv "$starts.new" "$starts"
exec postgres -D "$PGDATA" -c config_file="$here/postgresql.conf" -c hba_file="$here/pg_hba.conf" \
    -c primary_conninfo="$conninfo passfile=$PGPASSFILE" -c primary_slot_name="$slot" "$@"
