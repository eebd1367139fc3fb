"""The container's health check: `python3 -m demo.healthcheck [port]`. Exit code 0 when the demo answers."""

import http.client
import sys


def main() -> int:
    """Ask the control API of this host for its health."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8088
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == 200 else 1
    except OSError as error:
        print(f"no answer on port {port}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
