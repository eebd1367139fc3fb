#!/bin/sh
# Starts the demo's PostgreSQL primary; on the first start makes its data.
#
# Works with the official image and with Debian's packages alike, from PostgreSQL 15 on, as the user postgres (uid 999
# there), without their entry points.
#
#   PGDATA              where the data goes: a directory that need not exist, inside the volume (not its root)
#   POSTGRES_USER       the application's role, owner of the database (default: defillama)
#   POSTGRES_DB         the database (default: defillama)
#   secrets/ beside this script: postgres_password, replicator_password, exporter_password
#
# Writes to $PGDATA's parent and to /tmp. Stop it with SIGINT (a fast shutdown): SIGTERM waits for the clients.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
export SECRETS="$here/secrets"
: "${PGDATA:?PGDATA: set it to a directory inside the data volume}"
export POSTGRES_USER="${POSTGRES_USER:-defillama}" POSTGRES_DB="${POSTGRES_DB:-defillama}"
# Debian has the programs in a directory with the version's name, outside PATH.
for programs in /usr/lib/postgresql/*/bin; do PATH=$PATH:$programs; done
export LC_ALL=C.UTF-8

fail() {
    echo "primary: $1" >&2
    exit 1
}

for name in postgres_password replicator_password exporter_password; do
    [ -s "$SECRETS/$name" ] || fail "$SECRETS/$name: missing or empty"
done
mkdir -p "$(dirname "$PGDATA")" 2>/dev/null || fail "PGDATA: cannot create $(dirname "$PGDATA")"

# Starts the server on the data in $1 for this script alone.
start_alone() {
    socket=$(mktemp -d)
    pg_ctl --pgdata="$1" --wait --silent --log="$socket/log" --options="-c config_file=$here/postgresql.conf \
        -c hba_file=$here/pg_hba.conf -c listen_addresses='' -c unix_socket_directories=$socket" start ||
        { cat "$socket/log" >&2; fail "the database does not start"; }
}

stop_alone() {
    pg_ctl --pgdata="$1" --wait --silent --mode=fast stop
    rm -rf "$socket"
}

# psql reads the passwords from their files itself, so that they show up in no argument list, and quotes them; nor are
# they to be seen among the statements that the exporter shows. Then it does what standard input says.
ask() {
    { cat <<'SQL'; cat; } | psql --no-psqlrc --quiet --host="$socket" --username=postgres --dbname=postgres \
        --set=ON_ERROR_STOP=1 --set=user="$POSTGRES_USER" --set=database="$POSTGRES_DB"
SET pg_stat_statements.track_utility = off;
\set password `cat "$SECRETS"/postgres_password`
\set replicator_password `cat "$SECRETS"/replicator_password`
\set exporter_password `cat "$SECRETS"/exporter_password`
SQL
}

# The roles, the database and what the replica needs.
set_up() {
    ask <<'SQL'
CREATE ROLE :"user" LOGIN PASSWORD :'password' CONNECTION LIMIT 47;
CREATE ROLE exporter LOGIN PASSWORD :'exporter_password' IN ROLE pg_monitor;
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replicator_password';
SELECT pg_create_physical_replication_slot('replica') \g /dev/null
CREATE DATABASE :"database" OWNER :"user";
\connect :"database"
CREATE EXTENSION pg_stat_statements;
-- So that a drill can make the replica lag.
GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() TO :"user";
SQL
}

# The passwords of the roles are those beside this script, also where the data is of an earlier stack whose passwords
# were lost.
set_passwords() {
    ask <<'SQL'
SELECT format('ALTER ROLE %I PASSWORD %L', rolname, CASE rolname WHEN 'replicator' THEN :'replicator_password'
    WHEN 'exporter' THEN :'exporter_password' ELSE :'password' END)
FROM pg_roles WHERE rolname IN (:'user', 'replicator', 'exporter') \gexec
SQL
}

# What tells whether the data has these passwords already. Salted by the database's own number.
passwords() {
    { pg_controldata "$PGDATA" | grep 'system identifier'; cat "$SECRETS"/*_password; } | sha256sum
}

# Another major version cannot read the data. It is kept, out of the way: what the demo writes is only an example.
made_by=$(cat "$PGDATA/PG_VERSION" 2>/dev/null || true)
version=$(postgres --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
if [ -n "$made_by" ] && [ "$made_by" != "$version" ]; then
    echo "primary: the data is of PostgreSQL $made_by, and this is $version: keeping it in $PGDATA.$made_by" >&2
    rm -rf "$PGDATA.$made_by"
    mv "$PGDATA" "$PGDATA.$made_by"
fi

# The data is made beside its place and moved there when it is complete: a first start that is cut short leaves
# nothing that looks like a database.
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    echo "primary: making the database in $PGDATA" >&2
    rm -rf "$PGDATA.new"
    initdb --pgdata="$PGDATA.new" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --auth=peer >/dev/null
    start_alone "$PGDATA.new"
    set_up || { pg_ctl --pgdata="$PGDATA.new" --mode=immediate stop; fail "set-up failed"; }
    stop_alone "$PGDATA.new"
    mv "$PGDATA.new" "$PGDATA"
elif [ "$(passwords)" != "$(cat "$PGDATA.passwords" 2>/dev/null)" ]; then
    echo "primary: setting the roles' passwords" >&2
    start_alone "$PGDATA"
    set_passwords || { stop_alone "$PGDATA"; fail "the passwords could not be set"; }
    stop_alone "$PGDATA"
fi
(umask 077 && passwords >"$PGDATA.passwords")

exec postgres -D "$PGDATA" -c config_file="$here/postgresql.conf" -c hba_file="$here/pg_hba.conf" "$@"
