"""What our own services' metrics have in common."""

from prometheus_client import CollectorRegistry, ProcessCollector

# Upper bounds in seconds.
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def process_registry() -> CollectorRegistry:
    """Give a new registry with the metrics of this process (CPU, memory, open files) in it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry
