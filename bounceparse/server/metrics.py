"""Counts for Prometheus, in a registry of our own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    """What one server counts. No label ever holds an address, or anything else that a stranger chooses."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("bounceparse_http_requests", "Requests by route and status.", ("route", "status"), registry=registry)
        self.seconds = Histogram("bounceparse_http_request_seconds", "Time for a request by route.", ("route",), registry=registry)
        self.running = Gauge("bounceparse_http_requests_running", "Requests that are being worked on.", registry=registry)
        self.verdicts = Counter("bounceparse_verdicts", "Verdicts by kind, bounce and reason.", ("kind", "bounce", "reason"), registry=registry)
        self.decisions = Counter("bounceparse_decisions", "Decisions by action.", ("action",), registry=registry)
        self.hooks = Counter("bounceparse_webhook_events", "Events of mail services by outcome.", ("service", "outcome"), registry=registry)

    def render(self) -> bytes:
        """Return the counts in the text format of Prometheus."""
        return generate_latest(self._registry)
