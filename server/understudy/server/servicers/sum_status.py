"""Adds up how several processes are that serve together: counts are summed, states the worst.

What they spend of one cap is no count of each: whoever has heard of it last knows it for all.
"""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from understudy.v1 import operations_pb2 as pb

_State: Final = pb.DeploymentStatus.State
_WORST_FIRST: Final = (
    _State.STATE_UNUSABLE,
    _State.STATE_OPEN,
    _State.STATE_HALF_OPEN,
    _State.STATE_WAKING,
    _State.STATE_CLOSED,
)


def sum_status(parts: Sequence[pb.GetStatusResponse], started: Timestamp) -> pb.GetStatusResponse:
    """Return how they are together, `started` being when the whole began.

    The revision is the oldest in use anywhere.
    """
    whole = pb.GetStatusResponse(start_time=started)
    if not parts:
        return whole
    whole.version = parts[0].version
    whole.config_revision = min(one.config_revision for one in parts)
    whole.in_flight = sum(one.in_flight for one in parts)
    whole.refused = sum(one.refused for one in parts)
    whole.begun = sum(one.begun for one in parts)
    deployments: dict[str, list[pb.DeploymentStatus]] = {}
    for part in parts:
        for one in part.deployments:
            deployments.setdefault(one.deployment, []).append(one)
    whole.deployments.extend(map(_sum_deployment, deployments.values()))
    whole.mirror.CopyFrom(_sum_mirror([one.mirror for one in parts]))
    sinks: dict[str, list[pb.SinkStatus]] = {}
    for part in parts:
        for sink in part.sinks:
            sinks.setdefault(sink.sink, []).append(sink)
    whole.sinks.extend(map(_sum_sink, sinks.values()))
    return whole


def _sum_sink(parts: Sequence[pb.SinkStatus]) -> pb.SinkStatus:
    whole = pb.SinkStatus()
    whole.CopyFrom(max(parts, key=lambda one: (bool(one.away_cause), one.lag.ToNanoseconds())))
    whole.waiting = sum(one.waiting for one in parts)
    whole.sent = sum(one.sent for one in parts)
    whole.dropped = sum(one.dropped for one in parts)
    return whole


def _sum_deployment(parts: Sequence[pb.DeploymentStatus]) -> pb.DeploymentStatus:
    whole = pb.DeploymentStatus()
    # Its reason and times belong to its state.
    whole.CopyFrom(min(parts, key=lambda one: _WORST_FIRST.index(one.state)))
    whole.in_flight = sum(one.in_flight for one in parts)
    return whole


def _sum_mirror(parts: Sequence[pb.MirrorStatus]) -> pb.MirrorStatus:
    silent_models: dict[str, list[pb.SilentModelStatus]] = {}
    for part in parts:
        for one in part.silent_models:
            silent_models.setdefault(one.silent_model, []).append(one)
    return pb.MirrorStatus(
        paused=all(one.paused for one in parts),
        queued=sum(one.queued for one in parts),
        queued_bytes=sum(one.queued_bytes for one in parts),
        in_flight=sum(one.in_flight for one in parts),
        share=min(one.share for one in parts),
        silent_models=[
            _sum_silent(silent_models[name], len(parts)) for name in sorted(silent_models)
        ],
    )


def _sum_silent(parts: Sequence[pb.SilentModelStatus], processes: int) -> pb.SilentModelStatus:
    whole = pb.SilentModelStatus(
        silent_model=parts[0].silent_model,
        paused=all(one.paused for one in parts),
        state=min((one.state for one in parts), key=_WORST_FIRST.index),
        in_flight=sum(one.in_flight for one in parts),
        effective_fraction=max(one.effective_fraction for one in parts),
        offered=sum(one.offered for one in parts),
        cap_window=parts[0].cap_window,
    )
    _tell_spending(whole, parts, processes)
    _add(whole.outcomes, (one.outcomes for one in parts))
    _add(whole.shed, (one.shed for one in parts))
    _add(whole.not_mirrored, (one.not_mirrored for one in parts))
    return whole


def _tell_spending(
    whole: pb.SilentModelStatus, parts: Sequence[pb.SilentModelStatus], processes: int
) -> None:
    shared = [one for one in parts if one.HasField("spent_time")]
    if shared:
        newest = max(shared, key=lambda one: one.spent_time.ToNanoseconds())
        whole.spent_nano_usd = newest.spent_nano_usd
        whole.cap_nano_usd = newest.cap_nano_usd
        whole.overshoot_nano_usd = newest.overshoot_nano_usd
        whole.lost_nano_usd = newest.lost_nano_usd
        whole.leased_nano_usd = newest.leased_nano_usd
        whole.spent_time.CopyFrom(newest.spent_time)
        return
    whole.spent_nano_usd = sum(one.spent_nano_usd for one in parts)
    whole.overshoot_nano_usd = sum(one.overshoot_nano_usd for one in parts)
    # A process that never met a silent model says nothing of it, but has its share of the cap.
    whole.cap_nano_usd = parts[0].cap_nano_usd * processes


def _add(whole: MutableMapping[str, int], parts: Iterable[Mapping[str, int]]) -> None:
    for part in parts:
        for label, count in part.items():
            whole[label] = whole.get(label, 0) + count
