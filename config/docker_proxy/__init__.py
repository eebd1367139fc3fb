"""The proxy in front of Docker's socket."""

from pathlib import Path

PORT = 2375
"""Where it answers; Docker's own port for its API without TLS."""


def docker_proxy_files() -> dict[str, str]:
    """Relative path -> content of the files below /usr/local/etc/haproxy: `haproxy.cfg`."""
    return {"haproxy.cfg": (Path(__file__).parent / "haproxy.cfg").read_text()}
