#!/bin/sh
# Starts Redis as the official image does: options alone mean redis-server, and root steps down to the user redis.
set -e

case "${1#-}" in
	"$1") ;;
	*) set -- redis-server "$@" ;;
esac
case "$1" in
	*.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
	find . ! -user redis -exec chown redis:redis {} +
	exec setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
fi
exec "$@"
