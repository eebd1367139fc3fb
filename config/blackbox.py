"""What blackbox_exporter reads: how an endpoint is called.

Its keys: https://github.com/prometheus/blackbox_exporter/blob/v0.28.0/CONFIGURATION.md
"""

import yaml

FILE = "/etc/blackbox_exporter/stack.yml"
MODULE = "http_2xx"
# Seconds: less than a scrape may take, so that an endpoint that hangs is told from an exporter that does.
_TIMEOUT = "5s"
CONFIG = yaml.safe_dump(
    {
        "modules": {
            MODULE: {
                "prober": "http",
                "timeout": _TIMEOUT,
                # Where IPv6 is half there, its attempts would make an endpoint look slow.
                "http": {"preferred_ip_protocol": "ip4"},
            }
        }
    },
    sort_keys=False,
)
"""The text of its file: success is an answer of 2xx, after redirects."""
