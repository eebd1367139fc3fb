#!/bin/bash
# Starts PostgreSQL as the official image does, for the part of its interface that this project uses: the variables
# POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB (each also as …_FILE), POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD
# and PGDATA, and the scripts in /docker-entrypoint-initdb.d, which run once, on an empty data directory.
set -euo pipefail

[ "${1:0:1}" = - ] && set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA" /var/run/postgresql
	find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres:postgres {} +
	exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"
fi
mkdir -p "$PGDATA"
chmod 700 "$PGDATA"
[ -s "$PGDATA/PG_VERSION" ] && exec "$@"

for name in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB; do
	file="${name}_FILE"
	if [ -n "${!file:-}" ]; then
		export "$name=$(< "${!file}")"
	fi
done
: "${POSTGRES_USER:=postgres}" "${POSTGRES_PASSWORD:=}" "${POSTGRES_INITDB_ARGS:=}"
: "${POSTGRES_DB:=$POSTGRES_USER}" "${POSTGRES_HOST_AUTH_METHOD:=scram-sha-256}"
export POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB
if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
	echo "Error: the data directory is empty and POSTGRES_PASSWORD is not set." >&2
	exit 1
fi

eval "initdb --username=\"\$POSTGRES_USER\" --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\") $POSTGRES_INITDB_ARGS"
echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >> "$PGDATA/pg_hba.conf"

# A server on the socket alone, for the set-up: nobody can connect before it is done.
export PGPASSWORD="$POSTGRES_PASSWORD"
pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${@:2}" -c listen_addresses=)" -w start
sql() { psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" "$@"; }
if [ "$POSTGRES_DB" != postgres ]; then
	sql --dbname postgres --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
fi
for file in /docker-entrypoint-initdb.d/*; do
	case "$file" in
		*.sh) echo "running $file"; if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
		*.sql) echo "running $file"; sql --dbname "$POSTGRES_DB" -f "$file" ;;
	esac
done
pg_ctl -D "$PGDATA" -m fast -w stop
unset PGPASSWORD
echo "PostgreSQL init process complete; ready for start up."
exec "$@"
