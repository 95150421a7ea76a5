"""What figures should be: counted from the events themselves, by plain means."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from shared.events.models import Common, DicomDelivered, InputReady, JobFinished, StageFailed
from shared.events.wire import Event

Key = tuple[str, str, str, str]
"""Stage, lane, pipeline, code; the empty string where it is none of one."""
_NAMES = ("stage", "lane", "pipeline", "code")
_QUANTILES = {"p50": 0.5, "p95": 0.95}
_NEAR = 0.011


@dataclass
class Counted:
    """How many of each result, and how long each took, in s."""

    results: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def windows(at: datetime) -> Mapping[str, tuple[datetime, datetime]]:
    """From when on and until when each window of a snapshot reaches."""
    minute = at.replace(second=0, microsecond=0)
    hour = minute.replace(minute=0)
    return {
        "5 min": (at - timedelta(minutes=5), at),
        "1 h": (at - timedelta(hours=1), at),
        "minute": (minute - timedelta(minutes=1), minute),
        "hour": (hour - timedelta(hours=1), hour),
    }


def differences(events: Collection[Event], snapshot: Mapping[str, Any]) -> list[str]:
    """What a snapshot tells otherwise than a recount of distinct events would."""
    at = datetime.fromisoformat(snapshot["at"])
    found = []
    for window, (start, end) in windows(at).items():
        lines = snapshot["windows"][window]
        found += [f"{window} {what}" for what in differ(events, lines, start, end)]
    in_work = {_key(line): line["figures"]["in_work"] for line in snapshot["in_work"]}
    return found if in_work == _in_work(events) else [*found, f"in work: {in_work}"]


def differ(
    events: Collection[Event], lines: Sequence[Mapping[str, Any]], start: datetime, end: datetime
) -> Iterator[str]:
    """What the lines of one window tell otherwise."""
    told = {_key(line): line["figures"] for line in lines}
    counted = recount(events, start, end)
    minutes = (end - start).total_seconds() / 60
    yield from (f"{key}: in one only" for key in told.keys() ^ counted.keys())
    for key in told.keys() & counted.keys():
        yield from (f"{key} {what}" for what in _differ(told[key], counted[key], minutes))


def recount(events: Collection[Event], start: datetime, end: datetime) -> Mapping[Key, Counted]:
    """What ended in that time."""
    parts = [_of(event) for event in events if _is_part(event)]
    ended = {(data.job_id, data.stage): data.finished_at for data in parts}
    counted: defaultdict[Key, Counted] = defaultdict(Counted)
    for event in events:
        data = _of(event)
        if start <= data.finished_at < end:
            whole = isinstance(data, InputReady | JobFinished | DicomDelivered)
            key = ("" if whole else data.stage, data.lane.value, data.pipeline, "")
            codes = _codes(data)
            for each in (key, *((*key[:3], code) for code in codes)):
                counted[each].results[_result(data)] += 1
            for name, took in _latencies(data, ended):
                counted[key].seconds[name].append(max(took.total_seconds(), 0.001))
    return counted


def _differ(told: Mapping[str, float], counted: Counted, minutes: float) -> Iterator[str]:
    expected: dict[str, float] = dict(counted.results)
    expected["per_min"] = counted.results.total() / minutes
    for name, seconds in counted.seconds.items():
        expected[f"{name}_count"] = len(seconds)
        for q, share in _QUANTILES.items():
            expected[f"{name}_{q}_s"] = sorted(seconds)[ceil(share * len(seconds)) - 1]
    if told.keys() != expected.keys():
        yield f"has {sorted(told)} instead of {sorted(expected)}"
    for name in told.keys() & expected.keys():
        near = _NEAR * expected[name] if name.endswith("_s") else 1e-5
        if abs(told[name] - expected[name]) > near:
            yield f"{name} {told[name]} instead of {expected[name]}"


def _in_work(events: Collection[Event]) -> Mapping[Key, int]:
    over = {event.subject for event in events if isinstance(event.data, JobFinished)}
    found: Counter[Key] = Counter()
    for event in events:
        if isinstance(event.data, InputReady):
            data = event.data
            found["", data.lane.value, data.pipeline, ""] += event.subject not in over
    return found


def _latencies(
    data: Common, ended: Mapping[tuple[str, str], datetime]
) -> Iterator[tuple[str, timedelta]]:
    took = data.finished_at - data.started_at
    if isinstance(data, InputReady):
        yield "collecting", took
    elif isinstance(data, JobFinished):
        yield "end_to_end", data.finished_at - data.received_at
    elif isinstance(data, DicomDelivered):
        yield "delivery", took
    else:
        yield "duration", took
        before = {name.partition(".")[0] for name in data.payloads} - {data.stage, "pipeline"}
        yield "wait", data.started_at - max(ended[data.job_id, stage] for stage in before)


def _result(data: Common) -> str:
    if isinstance(data, InputReady):
        return "begun"
    if isinstance(data, JobFinished):
        return data.status
    if isinstance(data, DicomDelivered):
        return f"delivery_{data.status}"
    return data.verdict if isinstance(data, StageFailed) else "succeeded"


def _codes(data: Common) -> Sequence[str]:
    if isinstance(data, StageFailed | JobFinished):
        return sorted({reason.code for reason in data.reasons})
    return ()


def _is_part(event: Event) -> bool:
    return not isinstance(event.data, JobFinished | DicomDelivered)


def _of(event: Event) -> Common:
    assert isinstance(event.data, Common)
    return event.data


def _key(line: Mapping[str, Any]) -> Key:
    stage, lane, pipeline, code = (line["key"].get(name, "") for name in _NAMES)
    return stage, lane, pipeline, code
