"""The way of the smoke test's alerts: to the container of the test, which is there for that minute, and to nobody else.

The rules SmokeTest (Prometheus) and SmokeTestLog (Loki) fire while that container runs: see ops/validation/smoke.py.
"""

from typing import Any

RECEIVER = "smoke"
HOST, PORT = "smoke", 8080
"""Where the container listens, in the stack's own network."""
ALERTS = ("SmokeTest", "SmokeTestLog")

ROUTE: dict[str, Any] = {
    "matchers": [f'alertname=~"{"|".join(ALERTS)}"'],
    "receiver": RECEIVER,
    "group_by": ["alertname", "name"],
    "group_wait": "0s",
    "group_interval": "1m",
    "repeat_interval": "1h",
}
RECEIVER_CONFIG: dict[str, Any] = {
    "name": RECEIVER,
    # That an alert has ended is not sent: the container is gone by then.
    "webhook_configs": [{"url": f"http://{HOST}:{PORT}/", "send_resolved": False, "timeout": "5s"}],
}
