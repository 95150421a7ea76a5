"""What the machine, Triton and the statistics service tell is read as they tell it."""

import httpx
import pytest

from clarion.load.machine import (
    Addresses,
    CpuTimes,
    Meter,
    TritonQueue,
    backlog_of,
    triton_queues,
    used_percent,
)

METRICS = """\
# HELP nv_inference_request_success Number of successful inference requests
nv_inference_request_success{model="lung_seg",version="1"} 12
nv_inference_request_success{model="lung_seg",version="2"} 3
nv_inference_queue_duration_us{model="lung_seg",version="1"} 4500
nv_inference_compute_infer_duration_us{model="lung_seg",version="1"} 9e6
nv_cpu_utilization 0.5
"""


def test_tritons_counters_are_added_up_by_model() -> None:
    assert triton_queues(METRICS) == {"lung_seg": TritonQueue(15, 4500, 9_000_000)}


def test_what_was_before_is_taken_off() -> None:
    assert TritonQueue(15, 4500, 90).since(TritonQueue(5, 500, 40)) == TritonQueue(10, 4000, 50)


def test_a_triton_that_started_anew_counts_from_nothing() -> None:
    assert TritonQueue(3, 200, 30).since(TritonQueue(5, 500, 40)) == TritonQueue(3, 200, 30)


def test_cpu_is_what_was_used_between_two_readings() -> None:
    assert used_percent(CpuTimes(100, 1000), CpuTimes(175, 1100)) == 75
    assert used_percent(CpuTimes(100, 1000), CpuTimes(100, 1000)) == 0


def test_a_backlog_is_added_up_over_lanes() -> None:
    lines = [
        {"service": "reader", "lane": lane, "events": events}
        for lane, events in (("stat", 1), ("bulk", 4))
    ]
    assert backlog_of({"backlog": lines}) == {"reader": 5}
    assert backlog_of(None) == {}


def test_the_backlog_now_is_told_beside_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        httpx.Response(200, json={"backlog": [{"service": "reader", "events": events}]})
        for events in (7, 2)
    ]
    answers.append(httpx.Response(503))
    monkeypatch.setattr(httpx, "get", lambda *_, **__: answers.pop(0))
    meter = Meter(Addresses("http://127.0.0.1:9/metrics", "http://127.0.0.1:9/snapshot"))
    found = []
    for _ in range(3):
        meter.look()
        found.append(meter.backlog)
    assert found == [{"reader": 7}, {"reader": 2}, None]
    assert meter.backlog_most == {"reader": 7}
