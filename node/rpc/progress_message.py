"""Progress as the admin service tells it."""

from node.pb import admin_service_pb2 as pb
from node.pb import envelope_pb2
from node.ports import LinkState
from node.progress import Group, LogProgress, Seen


def progress_message(seen: Seen) -> pb.GetProgressResponse:
    """Everything that is known of what is here and what is still to come."""
    return pb.GetProgressResponse(
        time_unix_ms=seen.now_ms,
        started_at_unix_ms=seen.started_ms,
        useful_since_unix_ms=seen.useful_since_ms,
        is_useful=seen.is_complete,
        compared_with=seen.compared,
        lanes=[_group(each) for each in seen.lanes],
        origins=[_group(each) for each in seen.groups],
        doubts=[pb.ListDoubt(channel=name, doubts=doubts) for name, doubts in sorted(seen.doubts.items())],
        resting=[_resting(state) for state in seen.resting],
        received_bytes=seen.new.size_bytes,
        received_again_bytes=seen.again.size_bytes,
        received_entries=seen.new.entries,
        received_again_entries=seen.again.entries,
    )


def _group(group: Group) -> pb.GroupProgress:
    announced = [max(log.announced, log.size) for log in group.logs]
    least_s, most_s = group.pace.left_s(sum(log.to_come for log in group.logs))
    span_s = group.pace.span_s or 1.0
    return pb.GroupProgress(
        origin=group.origin,
        lane=group.lane.name.lower(),
        entries=sum(log.size for log in group.logs),
        announced_entries=sum(announced),
        records=sum(log.records for log in group.logs),
        entries_per_s=group.pace.entries_per_s,
        records_per_s=group.pace.amount.records / span_s,
        bytes_per_s=group.pace.amount.size_bytes / span_s,
        span_s=group.pace.span_s,
        least_seconds_left=least_s,
        most_seconds_left=most_s,
        logs=[_log(log) for log in group.logs] if group.origin else (),
    )


def _log(log: LogProgress) -> pb.LogProgress:
    return pb.LogProgress(
        channel=log.key[0],
        epoch=log.key[1],
        entries=log.size,
        applied_entries=log.applied_size,
        announced_entries=log.announced,
        records=log.records,
        removals_up_to=log.removals_size,
        source=log.source,
        waits_for=log.waits,
    )


def _resting(state: LinkState) -> pb.RestingLink:
    failure = envelope_pb2.Refusal.FromString(state.failure)
    return pb.RestingLink(node=state.node, failure=failure, retry_at_unix_ms=state.retry_at_ms)
