"""What a gateway counts of itself, for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(eq=False)
class Figures(Collector):
    """The counts since the start.

    Attributes:
        open: asks how many connections there are, by kind.
        is_heard: asks whether Redis is heard.
        sent: messages to clients.
        resyncs: those of them that ask to read the inbox anew.
        dropped: connections that the gateway ended, by reason.
        refused: connections that it did not take, by status.
    """

    open: Callable[[], Counter[str]]
    is_heard: Callable[[], bool]
    sent: int = 0
    resyncs: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def collect(self) -> Iterable[Metric]:
        """All of them, as the library wants them."""
        yield _labelled(GaugeMetricFamily, "connections", "Open connections, by kind.", "kind", self.open())
        yield _labelled(
            CounterMetricFamily, "dropped", "Connections that the gateway has ended, by reason.", "reason", self.dropped
        )
        yield _labelled(
            CounterMetricFamily, "refused", "Connections that were not taken, by status.", "status", self.refused
        )
        yield CounterMetricFamily("usher_realtime_sent", "Messages to clients.", value=self.sent)
        yield CounterMetricFamily(
            "usher_realtime_resyncs", "Those that ask to read the inbox anew.", value=self.resyncs
        )
        yield GaugeMetricFamily("usher_realtime_redis_up", "Whether Redis is heard.", value=int(self.is_heard()))

    def text(self) -> bytes:
        """All of them, in Prometheus's text format."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)


def _labelled(
    family: type[GaugeMetricFamily | CounterMetricFamily], name: str, what: str, label: str, counts: Counter[str]
) -> Metric:
    metric = family(f"usher_realtime_{name}", what, labels=[label])
    for value, count in sorted(counts.items()):
        metric.add_metric([value], count)
    return metric
