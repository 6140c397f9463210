"""Metrics: what Prometheus reads from a node on a loopback port; never a subject, never a secret."""

from collections.abc import Callable, Iterator
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from node.core.errors import XinqiaoError
from node.node import Node
from node.pb import admin_service_pb2 as pb
from node.pb import channel_pb2


class NodeCollector(Collector):
    """Reads a node when Prometheus asks."""

    def __init__(self, node: Node, duties: Callable[[], list[pb.Duty]], software_version: str) -> None:
        self._node = node
        self._duties = duties
        self._software_version = software_version

    def collect(self) -> Iterator[Metric]:
        """Every metric of the node."""
        me = self._node.membership.me
        yield InfoMetricFamily("xinqiao_node", "This node.", {"node": me, "version": self._software_version})
        yield self._duty_states()
        yield from self._channels()
        yield self._outcomes()
        yield self._quality()
        yield self._held_rows()
        yield self._list_changes()
        yield from self._links()
        yield from self._registry()
        alarms = len(self._node.answering.alarms())
        yield GaugeMetricFamily("xinqiao_alarms", "Alarms a person should look at.", alarms)
        refused = self._node.delivery.refused_news
        yield GaugeMetricFamily("xinqiao_refused_news", "Heartbeats, addresses and proofs refused.", refused)

    def _duty_states(self) -> Metric:
        family = GaugeMetricFamily("xinqiao_duty_ready", "1 where a duty is ready.", labels=["duty"])
        for duty in self._duties():
            family.add_metric([duty.name], float(duty.state == pb.DUTY_STATE_READY))
        return family

    def _channels(self) -> Iterator[Metric]:
        labels = ["channel", "epoch"]
        size = GaugeMetricFamily("xinqiao_channel_entries", "Entries held.", labels=labels)
        applied = GaugeMetricFamily("xinqiao_channel_applied", "Entries applied.", labels=labels)
        records = GaugeMetricFamily("xinqiao_channel_records", "Records in force.", labels=labels)
        age = GaugeMetricFamily("xinqiao_channel_age_seconds", "Age of what is applied.", labels=labels)
        now_ms = self._node.world.clock.now_ms()
        for held in self._node.answering.channels():
            where = [held.log.channel, str(held.log.epoch)]
            size.add_metric(where, held.log.size)
            applied.add_metric(where, held.applied_size)
            records.add_metric(where, held.records)
            if held.fresh_at_ms:
                age.add_metric(where, (now_ms - held.fresh_at_ms) / 1000)
        yield from (size, applied, records, age)

    def _outcomes(self) -> Metric:
        labels = ["channel", "epoch", "outcome", "code"]
        family = GaugeMetricFamily("xinqiao_record_outcomes", "Records by outcome.", labels=labels)
        for held in self._node.answering.channels():
            for (outcome, code), count in sorted(self._node.answering.outcomes(held).items()):
                name = channel_pb2.RecordOutcome.Name(outcome).removeprefix("RECORD_OUTCOME_").lower()
                family.add_metric([held.log.channel, str(held.log.epoch), name, code], count)
        return family

    def _quality(self) -> Metric:
        """What was counted last: a scrape counts nothing."""
        labels = ["channel", "figure", "period"]
        family = GaugeMetricFamily("xinqiao_channel_quality", "Quality figures, 0 to 1.", labels=labels)
        for channel, taken in sorted(self._node.measuring.latest.items()):
            for period, quality in zip(("all", "month"), taken, strict=True):
                for figure in quality.figures:
                    if figure.ratio is not None:
                        family.add_metric([channel, figure.name, period], figure.ratio)
        return family

    def _held_rows(self) -> Metric:
        """How many rows wait for officers, 0 where none does; never which."""
        family = GaugeMetricFamily("xinqiao_held_rows", "Rows that wait for officers.", labels=["channel"])
        answering, undecided = self._node.answering, self._node.holding.undecided()
        own = {held.log.channel for held in answering.channels() if answering.is_own(held)}
        for channel in sorted(own | undecided.keys()):
            family.add_metric([channel], len(undecided.get(channel, ())))
        return family

    def _list_changes(self) -> Metric:
        """How many changes of each own list wait for an officer, or to be published."""
        family = GaugeMetricFamily("xinqiao_list_changes", "Changes of lists that wait.", labels=["channel"])
        answering, waiting = self._node.answering, self._node.listing.changes.undecided()
        own = {held.log.channel for held in self._node.listing.lists() if answering.is_own(held)}
        for channel in sorted(own | waiting.keys()):
            family.add_metric([channel], len(waiting.get(channel, ())))
        return family

    def _links(self) -> Iterator[Metric]:
        failures = GaugeMetricFamily("xinqiao_link_failures", "Failed attempts in a row.", labels=["peer"])
        skew = GaugeMetricFamily("xinqiao_link_clock_skew_seconds", "Peer's clock minus ours.", labels=["peer"])
        for node in self._node.delivery.linked:
            state = self._node.world.store.link(node)
            failures.add_metric([node], state.failures)
            skew.add_metric([node], state.clock_skew_ms / 1000)
        yield from (failures, skew)

    def _registry(self) -> Iterator[Metric]:
        membership = self._node.membership
        left_s = (membership.state.expires_ms - self._node.world.clock.now_ms()) / 1000
        yield GaugeMetricFamily("xinqiao_registry_expires_seconds", "Until the registry's files expire.", left_s)
        yield GaugeMetricFamily("xinqiao_registry_stage", "0 fresh, 1 stale, 2 expired.", int(membership.stage))


def serve_metrics(collector: NodeCollector, host: str, port: int) -> tuple[WSGIServer, Thread]:
    """Serve them until the server is shut down; raises LISTEN_FAILED."""
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        return start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        detail = error.strerror or str(error)
        raise XinqiaoError(
            "LISTEN_FAILED", address=f"{host}:{port}", detail=detail, setting="metrics_listen"
        ) from error
