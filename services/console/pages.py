"""The pages for people: the latest traces, and one trace as a waterfall. Plain HTML, no script."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from services.console.coverage import covered
from services.console.otlp import Span
from services.console.spans import TraceSummary

_HUES = (205, 150, 35, 285, 330, 180, 95, 15, 250)

_FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} · Clarion</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }}
h1 {{ font-size: 1.3rem; }} h1 a {{ color: inherit; text-decoration: none; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th {{ text-align: left; font-weight: 600; }}
th, td {{ padding: .25rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }}
td.number {{ text-align: right; }} td.way {{ width: 55%; }}
.track {{ position: relative; height: .9rem; }}
.bar {{ position: absolute; height: 100%; border-radius: 2px; min-width: 2px; }}
.note {{ opacity: .7; }} .failed {{ color: #c0392b; font-weight: 600; }}
code {{ font-size: .9em; }}
</style></head><body><h1><a href="/">Clarion</a> · {title}</h1>{body}
<p class="note">Research use only. Not for diagnosis.</p></body></html>
"""


def latest(traces: Sequence[TraceSummary]) -> str:
    """The page of the latest jobs, newest first."""
    rows = "".join(
        f'<tr><td>{_moment(trace.start_ns)}</td><td><a href="/traces/{trace.trace_id}">'
        f"<code>{escape(trace.job_id or trace.trace_id)[:13]}…</code></a></td>"
        f"<td>{escape(trace.pipeline or '')}</td><td>{escape(trace.lane or '')}</td>"
        f'<td class="number">{(trace.end_ns - trace.start_ns) / 1e9:.1f} s</td>'
        f'<td class="number">{trace.spans}</td></tr>'
        for trace in traces
    )
    head = (
        "<tr><th>received</th><th>job</th><th>pipeline</th><th>lane</th><th>took</th><th>spans</th>"
    )
    body = f"<table>{head}</tr>{rows}</table>" if traces else _EMPTY
    return _FRAME.format(title="the way of each study", body=body)


_EMPTY = """<p>No study has come in yet. Send one:</p>
<pre>clarion send FOLDER</pre>
<p>or see a phantom go through: <code>clarion demo</code>.</p>"""


def waterfall(spans: Sequence[Span]) -> str:
    """The page of one trace: a line per span, its bar where its time lies."""
    begin, end = min(s.start_ns for s in spans), max(s.end_ns for s in spans)
    services = list(dict.fromkeys(span.service for span in spans))
    hues = {name: _HUES[index % len(_HUES)] for index, name in enumerate(services)}
    rows = "".join(
        _row(span, depth, begin, max(end - begin, 1), hues[span.service])
        for depth, span in in_order(spans)
    )
    job = next((s.attributes[_JOB] for s in spans if _JOB in s.attributes), "")
    told = (
        f"<p>Job <code>{escape(str(job))}</code>, {len(spans)} spans over "
        f"{(end - begin) / 1e9:.1f} s; {covered(list(spans)):.1%} of the time lies inside leaf "
        "spans, quiet time excluded.</p>"
    )
    head = "<tr><th>service</th><th>span</th><th>at</th><th>took</th><th></th></tr>"
    body = f"{told}<table>{head}{rows}</table>"
    return _FRAME.format(title="the way of one study", body=body)


_JOB = "clarion.job_id"


def _row(span: Span, depth: int, begin: int, whole: int, hue: int) -> str:
    left = (span.start_ns - begin) / whole * 100
    width = (span.end_ns - span.start_ns) / whole * 100
    opacity = 0.35 if "clarion.wait" in span.attributes else 0.9
    colour = "#c0392b" if span.failed else f"hsl({hue} 55% 48% / {opacity})"
    name = f'<span style="padding-left:{depth * 0.8}rem">{escape(span.name)}</span>'
    failed = ' class="failed"' if span.failed else ""
    return (
        f"<tr><td>{escape(span.service)}</td><td{failed}>{name}</td>"
        f'<td class="number">{(span.start_ns - begin) / 1e6:.0f} ms</td>'
        f'<td class="number">{(span.end_ns - span.start_ns) / 1e6:.1f} ms</td>'
        f'<td class="way"><div class="track"><div class="bar" style="left:{left:.3f}%;'
        f'width:{width:.3f}%;background:{colour}"></div></div></td></tr>'
    )


def in_order(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """Each span below its parent, with its depth; siblings by their start."""
    known = {span.span_id for span in spans}
    below: defaultdict[str | None, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: (span.start_ns, -span.end_ns)):
        below[span.parent_id if span.parent_id in known else None].append(span)

    def walk(parent: str | None, depth: int) -> Iterator[tuple[int, Span]]:
        for span in below[parent]:
            yield depth, span
            yield from walk(span.span_id, depth + 1)

    return walk(None, 0)


def _moment(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
