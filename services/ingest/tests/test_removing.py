"""What was received goes when nobody needs it, and makes nothing new when it comes again."""

import pytest

from services.ingest.removing import Remover
from services.ingest.tests.conftest import House
from services.ingest.tests.instances import ct, send
from shared.bus import removed
from shared.errors import Unavailable
from shared.events.models import InputReady
from shared.store.memory import MemoryStore


def _segments(house: House) -> list[str]:
    return [name for name in house.ingest.journal.names() if not name.startswith("decisions")]


def _payloads(house: House) -> list[str]:
    return [name for name in house.store.keys("artifacts/") if name.endswith(".segment")]


def _pruned(house: House, *numbers: int) -> InputReady:
    """A version was made of these, and its job pruned."""
    send(house.scp.port, [ct(number) for number in numbers])
    *_, ready = house.quiet()
    removed.note(house.store, ready.job_id)
    return ready


def test_the_input_of_a_pruned_job_goes_from_journal_and_store(house: House) -> None:
    _pruned(house, 1, 2)
    assert (len(_segments(house)), len(_payloads(house))) == (1, 1)
    assert house.ingest.remover.round() == 1
    assert (_segments(house), _payloads(house), removed.jobs(house.store)) == ([], [], [])
    assert house.ingest.remover.round() == 0


def test_the_same_study_again_makes_nothing_new_and_goes_again(house: House) -> None:
    _pruned(house, 1, 2)
    house.ingest.remover.round()
    for some in ([ct(1)], [ct(2)]):
        assert send(house.scp.port, some) == [0]
        assert len(house.quiet()) == 1
    assert house.ingest.remover.round() == 1
    assert _segments(house) == []


def test_what_another_version_is_made_of_stays(house: House) -> None:
    _pruned(house, 1)
    send(house.scp.port, [ct(2)])
    _, second = house.quiet()
    assert house.ingest.remover.round() == 0
    assert len(house.manifest(second).segments) == len(_payloads(house)) == 2
    removed.note(house.store, second.job_id)
    assert house.ingest.remover.round() == 1
    assert _payloads(house) == []


def test_a_case_to_which_something_has_come_waits_for_its_version(house: House) -> None:
    _pruned(house, 1, 2)
    send(house.scp.port, [ct(3)])
    assert house.ingest.remover.round() == 0
    _, second = house.quiet()
    assert second.completeness.instances == 3
    assert house.ingest.remover.round() == 0


def test_a_late_slice_makes_the_next_version_also_after_a_crash(house: House) -> None:
    first = _pruned(house, 1, 2)
    house.ingest.remover.round()
    house.restart()
    send(house.scp.port, [ct(3)])
    house.restart()
    _, second = house.quiet()
    assert (second.version, second.supersedes) == (2, first.job_id)
    assert second.completeness.instances == 1


def test_what_was_removed_stays_so_when_the_index_is_made_again(house: House) -> None:
    _pruned(house, 1, 2)
    house.ingest.remover.round()
    house.ingest.close()
    for path in house.settings.journal_folder().glob("index.sqlite*"):
        path.unlink()
    house.restart()
    send(house.scp.port, [ct(1), ct(2)])
    assert len(house.quiet()) == 1
    assert house.ingest.remover.round() == 1


def test_what_an_outage_interrupts_is_taken_up_again(house: House) -> None:
    _pruned(house, 1, 2)

    class Failing(MemoryStore):
        def delete(self, key: str) -> None:
            if key.endswith(".segment"):
                raise Unavailable("store")
            house.store.delete(key)

        def keys(self, prefix: str) -> list[str]:
            return house.store.keys(prefix)

    with pytest.raises(Unavailable):
        Remover(house.ingest.receiver, house.ingest.journal, house.ingest.index, Failing()).round()
    house.restart()
    assert house.ingest.remover.round() == 1
    assert (_segments(house), _payloads(house)) == ([], [])
