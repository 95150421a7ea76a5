"""Facts in any order, any number of times, give the same ledger and the same events."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st

from services.results.ledger import deliveries, outbox
from services.results.ledger.database import Ledger
from services.results.ledger.runs import load
from services.results.ledger.tables import deliveries as deliveries_table
from services.results.ledger.tables import jobs, metadata, runs, stages
from services.results.tests.facts import PDF_CLASS, RECEIVED, Story, intake_into, job, rows
from shared.bus.received import Received
from shared.clock import ManualClock
from shared.events.models import Common, JobControl, JobFinished, Lane
from shared.store.memory import MemoryStore

Case = tuple[list[Received], list[Received], int]

STORE = MemoryStore()
EVERYTHING = Story(STORE).whole()
WITH_A_FAILURE = [
    event
    for event in [*Story(STORE).whole(), Story(STORE).failed("lesion-seg")]
    if event.event.kind == "stage-failed"
    or getattr(event.event.data, "stage", "")
    not in ("lesion-seg", "ratio", "lesion-dicom-seg", "ratio-report")
]


def taken(batches: Sequence[Sequence[Received]], path: Path | None) -> Ledger:
    intake = intake_into(path, STORE)
    for batch in batches:
        intake.take(batch)
    return intake.ledger


def published(ledger: Ledger) -> list[Any]:
    with ledger.reading() as connection:
        return [letter.event for letter in outbox.unsent(connection)]


def content(ledger: Ledger) -> tuple[Any, Any]:
    kept = rows(ledger, jobs, runs, stages, deliveries_table)
    finished = [event for event in published(ledger) if event.kind == "job-finished"]
    return kept, [event.data for event in finished]


@cache
def expected(how_many: int) -> tuple[Any, Any]:
    """What the facts give in their own order, all at once."""
    events = EVERYTHING if how_many == len(EVERYTHING) else WITH_A_FAILURE
    return content(taken([events], None))


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([EVERYTHING, WITH_A_FAILURE]).flatmap(
        lambda events: st.tuples(st.just(events), st.permutations(events), st.integers(1, 5))
    )
)
def test_any_order_and_any_batches_of_the_same_facts_give_the_same_ledger(case: Case) -> None:
    events, shuffled, size = case
    batches = [shuffled[at : at + size] for at in range(0, len(shuffled), size)]
    found = taken([*batches, shuffled[:4]], None)
    assert content(found) == expected(len(events))


def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    ledger.migrate()
    with ledger.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_finished_job_is_announced_once_and_its_objects_become_due(tmp_path: Path) -> None:
    ledger = taken([EVERYTHING, EVERYTHING], tmp_path)
    (finished,) = published(ledger)
    assert isinstance(finished.data, JobFinished)
    assert finished.data.status == "completed"
    assert set(finished.data.outputs.values()) == {"made"}
    assert "ratio-report.dicom" in finished.data.payloads
    with ledger.reading() as connection:
        assert len(deliveries.of_job(connection, job())) == 4
        assert deliveries.due(connection, RECEIVED) == [deliveries.Due("pacs", job())]


def test_the_segmentations_are_first_in_the_association(tmp_path: Path) -> None:
    ledger = taken([EVERYTHING], tmp_path)
    with ledger.transaction() as connection:
        claimed = deliveries.claim(connection, deliveries.Due("pacs", job()), RECEIVED, "me")
        again = deliveries.claim(connection, deliveries.Due("pacs", job()), RECEIVED, "other")
    kinds = [delivery.kind for delivery in claimed]
    assert kinds == ["seg", "seg", "encapsulated-pdf", "encapsulated-pdf"]
    assert again == []


def test_what_a_dead_replica_had_claimed_is_due_again_when_it_is_back(tmp_path: Path) -> None:
    ledger = taken([EVERYTHING], tmp_path)
    with ledger.transaction() as connection:
        deliveries.claim(connection, deliveries.Due("pacs", job()), RECEIVED, "me")
        assert deliveries.due(connection, RECEIVED) == []
        deliveries.release(connection, "me")
        assert deliveries.due(connection, RECEIVED) == [deliveries.Due("pacs", job())]


def test_what_has_waited_long_enough_is_sent_before_what_is_more_urgent(tmp_path: Path) -> None:
    ledger = taken([], tmp_path)
    came = [("bulk", 0), ("routine", 52), ("stat", 61), ("bulk", 3), ("routine", 49), ("stat", 58)]
    with ledger.transaction() as connection:
        for lane, minutes in came:
            planned = _planned(f"{lane} of {minutes}", Lane(lane))
            deliveries.plan(connection, [planned], RECEIVED + timedelta(minutes=minutes))
        order = [due.job_id for due in deliveries.due(connection, RECEIVED + timedelta(hours=2))]
    first = ["stat of 58", "routine of 49", "bulk of 0"]
    assert order == [*first, "stat of 61", "routine of 52", "bulk of 3"]


def _planned(job_id: str, lane: Lane) -> deliveries.Planned:
    return deliveries.Planned(
        job_id=job_id,
        run=1,
        stage="ratio-report",
        output="ratio-report",
        kind="encapsulated-pdf",
        sop_class_uid=PDF_CLASS,
        sop_instance_uid="2.25.1",
        payload=STORE.put(b"object", "application/dicom"),
        destination="pacs",
        lane=lane,
    )


def test_a_refused_job_delivers_nothing_but_the_report_about_it(tmp_path: Path) -> None:
    story = Story(STORE)
    refused = [story.input_ready(), story.refused("reader", "missing-slices")]
    ledger = taken([refused], tmp_path)
    (finished,) = published(ledger)
    assert finished.data.status == "refused"
    assert [reason.code for reason in finished.data.reasons] == ["missing-slices"]
    assert set(finished.data.outputs.values()) == {"failed", "skipped"}

    report = Story(STORE).made("not-analysed")
    ledger = taken([refused, [report], [report]], tmp_path)
    with ledger.reading() as connection:
        (delivery,) = deliveries.of_job(connection, job())
    assert delivery.output == "not-analysed"


def test_a_shadow_s_object_is_never_delivered(tmp_path: Path) -> None:
    shadow = Story(STORE).made("lung-dicom-seg~writers_v2")
    ledger = taken([[*EVERYTHING, shadow]], tmp_path)
    with ledger.reading() as connection:
        stages_sent = {sent.stage for sent in deliveries.of_job(connection, job())}
    assert "lung-dicom-seg~writers_v2" not in stages_sent


def test_a_new_version_stops_the_old_one_while_that_runs(tmp_path: Path) -> None:
    old, new = Story(STORE), Story(STORE, version=2)
    begun = [old.input_ready(), old.made("reader")]
    ledger = taken([begun, [new.input_ready()]], tmp_path)
    finished, control = published(ledger)
    assert (finished.subject, finished.data.status) == (job(1), "superseded")
    assert control.data == JobControl(job_id=job(1), cancelled_to_run=1, superseded_by=job(2))
    with ledger.reading() as connection:
        (letter,) = [x for x in outbox.unsent(connection) if x.event.kind == "job-control"]
    assert (letter.lane, letter.partition, letter.key) == (None, None, job(1))


def test_an_old_version_heard_of_after_the_new_one_is_superseded(
    tmp_path: Path,
) -> None:
    ledger = taken([[Story(STORE, version=2).input_ready()], EVERYTHING], tmp_path)
    finished, _ = published(ledger)
    assert finished.data.status == "superseded"
    with ledger.reading() as connection:
        assert deliveries.due(connection, RECEIVED) == []


def test_a_new_version_cancels_only_what_a_finished_one_has_not_delivered(
    tmp_path: Path,
) -> None:
    ledger = taken([EVERYTHING, [Story(STORE, version=2).input_ready()]], tmp_path)
    finished, _ = published(ledger)
    assert finished.data.status == "completed"
    with ledger.reading() as connection:
        sent = deliveries.of_job(connection, job(1))
    assert {delivery.status for delivery in sent} == {"failed"}
    assert {delivery.last_error for delivery in sent} == {"superseded-by-newer-version"}


def test_that_a_finished_job_is_superseded_is_said_once_and_it_stays_completed(
    tmp_path: Path,
) -> None:
    newer = [Story(STORE, version=2).input_ready()]
    ledger = taken([EVERYTHING, newer, newer, EVERYTHING], tmp_path)
    (control,) = [event.data for event in published(ledger) if event.kind == "job-control"]
    assert control == JobControl(job_id=job(1), superseded_by=job(2))
    with ledger.reading() as connection:
        old = load(connection, job(1))
    assert old is not None
    assert old.status == "completed"


def test_a_later_run_delivers_only_what_the_destination_lacks(tmp_path: Path) -> None:
    ledger = taken([WITH_A_FAILURE], tmp_path)
    with ledger.transaction() as connection:
        for delivery in deliveries.claim(connection, deliveries.Due("pacs", job()), RECEIVED, "me"):
            deliveries.settle(connection, delivery, "me", "delivered", None, "0000", RECEIVED)
    ledger = taken([Story(STORE, run=2).whole()], tmp_path)
    with ledger.transaction() as connection:
        claimed = deliveries.claim(connection, deliveries.Due("pacs", job()), RECEIVED, "me")
    assert {delivery.output for delivery in claimed} == {"lesion-seg", "ratio-report"}


def test_a_later_run_s_other_object_replaces_one_that_still_waits(tmp_path: Path) -> None:
    later = [
        event
        if getattr(event.event.data, "stage", "") != "ratio-report"
        else Story(STORE, run=2).made("ratio-report", sop_instance_uid="2.25.7")
        for event in Story(STORE, run=2).whole()
    ]
    ledger = taken([EVERYTHING, later, EVERYTHING], tmp_path)
    with ledger.reading() as connection:
        reports = {
            delivery.sop_instance_uid: delivery.status
            for delivery in deliveries.of_job(connection, job())
            if delivery.output == "ratio-report"
        }
    assert reports == {Story(STORE).sop_uid("ratio-report"): "failed", "2.25.7": "waiting"}


def test_a_definition_that_is_gone_fails_the_job_and_says_so(tmp_path: Path) -> None:
    lost = MemoryStore()
    event = Story(lost).input_ready()
    assert isinstance(event.event.data, Common)
    ref = event.event.data.payloads["pipeline.definition"]
    lost.delete(ref.uri)
    intake = intake_into(tmp_path, lost, ManualClock(RECEIVED))
    intake.take([event])
    (finished,) = published(intake.ledger)
    assert finished.data.status == "failed"
    assert finished.data.reasons[0].code == "definition-missing"
