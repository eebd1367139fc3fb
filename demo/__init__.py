"""The program behind the demo backend.

One process plays the parts of the monitored system that cannot be had as small containers: it serves
the metrics of a Kong gateway, Supabase Realtime, the WebSocket server and the application, drives a real
PostgreSQL and a real Redis, and writes JSON logs. Its rates can be changed while it runs (control.py).
"""

import os

# prometheus_client reads this once, when it is first imported. Without it every counter of ours would
# come with a `_created` series that nothing reads.
os.environ.setdefault("PROMETHEUS_DISABLE_CREATED_SERIES", "true")
