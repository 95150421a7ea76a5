"""Nothing that identifies a patient leaves the payloads, whatever becomes of the study."""

from collections.abc import Callable, Iterator, Mapping

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from phantom.dicom import series
from shared.events.wire import encode
from shared.inference.fake import FakeInference, FakeModel
from shared.inference.port import Tensor
from shared.telemetry import tracing
from tests.pipeline.analysis import Analysis, analysed, models, patient
from tests.pipeline.canaries import PRIVATE, VALUES, found_in, marked

Said = Callable[[], list[str]]


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = tracing.configure("pipeline")
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


@pytest.fixture
def said(
    spans: InMemorySpanExporter,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Said]:
    """All that was logged, printed and traced."""
    with capture_logs() as logs:
        yield lambda: [
            *map(repr, logs),
            *capfd.readouterr(),
            caplog.text,
            *(span.to_json() for span in spans.get_finished_spans()),
        ]


async def test_no_canary_of_a_study_leaves_its_payloads(said: Said) -> None:
    analysis = await of_marked(FakeInference(whole()))

    assert analysis.failures() == {}
    assert found_in([*told(analysis), *said()]) == []
    travelled = {PRIVATE, *VALUES.values()} - {VALUES["SOPInstanceUID"]}
    kept = "\n".join(payloads(analysis))
    assert [value for value in travelled if value not in kept] == []


async def test_what_an_exception_quotes_stays_in_a_payload(said: Said) -> None:
    broken = FakeModel(_breaks, whole()["lesion_seg"].parameters)

    analysis = await of_marked(FakeInference(whole() | {"lesion_seg": broken}))

    spoken = said()
    assert analysis.failures() == {"lesion-seg": ["defect"]}
    assert found_in([*told(analysis), *spoken]) == []
    assert any("attempt failed" in line for line in spoken)
    assert any(_MESSAGE in text for text in payloads(analysis))


_MESSAGE = f"no such patient: {VALUES['PatientName']} {VALUES['StudyInstanceUID']}"


def _breaks(_: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    raise ValueError(_MESSAGE)


def whole() -> dict[str, FakeModel]:
    return models(patient().lungs, patient().lesions)


async def of_marked(inference: FakeInference) -> Analysis:
    return await analysed(marked(series(patient())), inference)


def told(analysis: Analysis) -> list[str]:
    """Every record on the bus, and all that the store keeps beside payloads: outcomes, attempts."""
    on_the_bus = [repr(encode(record.event)) for record in analysis.rig.bus.records]
    beside = [key for key in analysis.store.keys("") if key not in analysis.artifacts()]
    assert any(key.startswith("outcomes/") for key in beside)
    return on_the_bus + [f"{key} {analysis.store.read(key)!r}" for key in beside]


def payloads(analysis: Analysis) -> list[str]:
    return [(analysis.store.read(key) or b"").decode("latin-1") for key in analysis.artifacts()]
