"""What a sender sees, and what becomes of what it sent."""

from services.ingest.tests.conftest import House
from services.ingest.tests.instances import ct, send
from shared.manifest import InstanceFiles


def test_a_study_becomes_one_version_with_its_instances_whole(house: House) -> None:
    statuses = send(house.scp.port, [ct(number) for number in range(3)])
    (ready,) = house.quiet()
    manifest = house.manifest(ready)
    files = InstanceFiles(manifest, house.store)
    pixels = [bytes(files.bytes(i.pixels)) for i in manifest.instances if i.pixels]
    names = {str(files.dataset(instance).PatientName) for instance in manifest.instances}
    assert (statuses, ready.version, ready.completeness.instances) == ([0, 0, 0], 1, 3)
    assert pixels == [ct(number).PixelData for number in range(3)]
    assert names == {"Grün^Eva"}
