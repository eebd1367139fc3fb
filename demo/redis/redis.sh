#!/bin/sh
# Starts the demo's Redis. Works with the official image and with Debian's redis-server alike, from Redis 7 on.
#
#   REDIS_MAXMEMORY    limit beyond which keys are evicted, least recently used first (default: 64mb)
#   REDIS_MAXCLIENTS   limit of clients (default: 200)
#   REDIS_PORT         port (default: 6379)
#   REDIS_DATA         directory of the append-only file (default: /data)
#   secrets/ beside this script: redis_password
#
# Writes to $REDIS_DATA only. Stop it with SIGTERM: it saves and ends.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
secret=$here/secrets/redis_password
[ -s "$secret" ] || { echo "redis: $secret: missing or empty" >&2; exit 1; }
# Backslashes and quotes are special in a Redis string.
password=$(sed 's/[\\"]/\\&/g' "$secret")

# The settings go in by standard input: the password is in no file, no argument and no environment.
exec redis-server - <<SETTINGS
bind * -::*
port ${REDIS_PORT:-6379}
requirepass "$password"
dir ${REDIS_DATA:-/data}
maxmemory ${REDIS_MAXMEMORY:-64mb}
maxmemory-policy allkeys-lru
maxclients ${REDIS_MAXCLIENTS:-200}
appendonly yes
appendfsync everysec
daemonize no
SETTINGS
