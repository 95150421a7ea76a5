"""Nothing of a patient or of a source's UIDs leaves ingest but in the store and the journal."""

import pytest
from structlog.testing import capture_logs

from services.ingest.tests.conftest import House
from services.ingest.tests.instances import ct, send
from shared.events.wire import encode

CANARIES = {
    "PatientName": "Canary^Name",
    "PatientID": "CANARYID",
    "AccessionNumber": "CANARYACC",
    "StudyInstanceUID": "1.2.3.999.1",
    "SeriesInstanceUID": "1.2.3.999.2",
    "SOPInstanceUID": "1.2.3.999.3",
    "StudyDescription": "CANARYSTUDY",
}


@pytest.mark.parametrize("broken", [False, True])
def test_no_canary_is_on_the_bus_or_in_a_log(
    house: House, capfd: pytest.CaptureFixture[str], *, broken: bool
) -> None:
    dataset = ct(1, **CANARIES)
    if broken:
        dataset.Rows = None
        dataset.Modality = "CT"
        dataset.SpecificCharacterSet = "CANARYCHARSET"
    with capture_logs() as logs:
        assert send(house.scp.port, [dataset]) == [0]
        (ready,) = house.quiet()
    said = [repr(encode(record.event)) for record in house.bus.records]
    said += [repr(line) for line in logs] + list(capfd.readouterr())
    values = [*CANARIES.values(), "CANARYCHARSET", "SCANNER"]
    assert [value for value in values if any(value in text for text in said)] == []
    assert house.manifest(ready).instances[0].header["PatientID"] == "CANARYID"
