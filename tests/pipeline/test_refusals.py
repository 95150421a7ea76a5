"""A study that can't be analysed ends where that is found, and nothing of it is written later."""

from collections.abc import Mapping

import numpy as np
import pytest

from phantom.dicom import series
from phantom.refusals import REFUSALS
from shared.events.models import DicomReady
from shared.inference.fake import FakeInference, FakeModel
from shared.inference.port import Tensor
from tests.pipeline.analysis import analysed, models, patient, planted

LATE = "lungs-not-found"
BEFORE_THE_MODELS = sorted(set(REFUSALS) - {LATE})


@pytest.mark.parametrize("code", BEFORE_THE_MODELS)
async def test_the_reader_refuses_and_nothing_follows(code: str) -> None:
    inference = planted(patient().lungs, patient().lesions)

    analysis = await analysed(REFUSALS[code](1), inference)

    failures = analysis.failures()
    assert list(failures) == ["reader"]
    assert failures["reader"][0] == code
    assert inference.asked == []
    assert analysis.told(DicomReady) == []


@pytest.mark.parametrize(
    ("lungs", "hu"), [("none", None), ("air", -1000)], ids=["no lungs", "air taken for lungs"]
)
async def test_no_lungs_end_what_needs_lungs_and_leave_the_rest(lungs: str, hu: int | None) -> None:
    phantom = patient()
    found = np.zeros_like(phantom.lungs) if hu is None else np.asarray(phantom.hu <= hu, np.uint8)

    analysis = await analysed(series(phantom), planted(found, phantom.lesions))

    assert analysis.failures() == {"lung-seg": [LATE]}
    assert [made.output for made in analysis.told(DicomReady)] == ["lesion-seg"]


async def test_a_model_that_breaks_leaves_what_does_not_need_it() -> None:
    phantom = patient()
    whole = models(phantom.lungs, phantom.lesions)
    broken = FakeModel(_breaks, whole["lesion_seg"].parameters)

    analysis = await analysed(series(phantom), FakeInference(whole | {"lesion_seg": broken}))

    assert analysis.failures() == {"lesion-seg": ["defect"]}
    made = {ready.output for ready in analysis.told(DicomReady)}
    assert made == {"lung-seg", "classification-report"}


def _breaks(_: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    raise ValueError("the weights are not what they were")
