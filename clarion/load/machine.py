"""What the machine and the system under load say of themselves while studies run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

_STAT = Path("/proc/stat")
_TIMEOUT_S = 2.0
_METRIC = re.compile(
    r'(?P<name>nv_inference_[a-z_]+)\{.*?model="(?P<model>[^"]+)".*?\} (?P<value>\S+)'
)


@dataclass(frozen=True)
class CpuTimes:
    """Ticks since the machine started, over all its processors."""

    busy: int
    total: int


@dataclass(frozen=True)
class TritonQueue:
    """One model's requests since Triton started."""

    requests: int = 0
    queued_us: int = 0
    computed_us: int = 0

    def since(self, before: "TritonQueue") -> "TritonQueue":
        """What came after `before`; all of it where Triton has started anew and counts from 0."""
        if self.requests < before.requests:
            return self
        return TritonQueue(
            self.requests - before.requests,
            self.queued_us - before.queued_us,
            self.computed_us - before.computed_us,
        )


@dataclass(frozen=True)
class Addresses:
    """Where the system says how it is."""

    triton_metrics: str
    snapshot: str | None
    """The statistics service; None where the home has none."""


@dataclass
class Meter:
    """Measures from its making on."""

    addresses: Addresses
    backlog: Mapping[str, int] | None = None
    """By service: how many events its consumer group was behind at the last look; None: unknown."""
    backlog_most: dict[str, int] = field(default_factory=dict)
    """The most so far."""
    _cpu: CpuTimes | None = None
    _triton: Mapping[str, TritonQueue] = field(default_factory=dict)

    def begin(self) -> None:
        self._cpu, self._triton = cpu_times(), self._queues()

    def look(self) -> None:
        """Ask for the backlog."""
        snapshot = _json(self.addresses.snapshot) if self.addresses.snapshot else None
        self.backlog = None if snapshot is None else backlog_of(snapshot)
        for service, events in (self.backlog or {}).items():
            self.backlog_most[service] = max(events, self.backlog_most.get(service, 0))

    def cpu_percent(self) -> float:
        """Of the whole machine since `begin`, whoever used it."""
        return used_percent(self._cpu, cpu_times()) if self._cpu else 0.0

    def triton(self) -> dict[str, TritonQueue]:
        """Each model's requests since `begin`."""
        return {
            model: queue.since(self._triton.get(model, TritonQueue()))
            for model, queue in self._queues().items()
        }

    def _queues(self) -> Mapping[str, TritonQueue]:
        try:
            answer = httpx.get(self.addresses.triton_metrics, timeout=_TIMEOUT_S, trust_env=False)
            return triton_queues(answer.text) if answer.is_success else {}
        except httpx.HTTPError:
            return {}


def cpu_times() -> CpuTimes:
    """From the first line of /proc/stat: user, nice, system, idle, iowait, irq, …"""
    ticks = [int(each) for each in _STAT.read_text().splitlines()[0].split()[1:9]]
    return CpuTimes(sum(ticks) - ticks[3] - ticks[4], sum(ticks))


def used_percent(before: CpuTimes, after: CpuTimes) -> float:
    total = after.total - before.total
    return round(100 * (after.busy - before.busy) / total, 1) if total > 0 else 0.0


def triton_queues(metrics: str) -> dict[str, TritonQueue]:
    """Triton's own counters, in the text form of Prometheus; versions of a model are added up."""
    counted: dict[tuple[str, str], int] = {}
    for found in _METRIC.finditer(metrics):
        key = found["model"], found["name"]
        counted[key] = counted.get(key, 0) + int(float(found["value"]))
    return {
        model: TritonQueue(
            counted.get((model, "nv_inference_request_success"), 0),
            counted.get((model, "nv_inference_queue_duration_us"), 0),
            counted.get((model, "nv_inference_compute_infer_duration_us"), 0),
        )
        for model in sorted({model for model, _ in counted})
    }


def backlog_of(snapshot: object) -> dict[str, int]:
    """Events behind, by service, over all lanes; empty where the snapshot says nothing."""
    lines = snapshot.get("backlog", []) if isinstance(snapshot, dict) else []
    found: dict[str, int] = {}
    for line in lines:
        found[line["service"]] = found.get(line["service"], 0) + int(line["events"])
    return found


def _json(url: str) -> object:
    try:
        answer = httpx.get(url, timeout=_TIMEOUT_S, trust_env=False)
        return answer.json() if answer.is_success else None
    except (httpx.HTTPError, ValueError):
        return None
