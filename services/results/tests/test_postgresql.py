"""The same ledger on PostgreSQL: a server of its own for these tests, on a free port."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from services.results import deadlines
from services.results.archive import Archive
from services.results.conclude import Concluder
from services.results.definitions import Definitions
from services.results.delivery import Backoff, Courier, IsWanted
from services.results.failures import Failures, Wanted
from services.results.intake import Intake
from services.results.ledger import commitments, deliveries, outbox, runs
from services.results.ledger.commitments import Unconfirmed
from services.results.ledger.database import Ledger
from services.results.ledger.deliveries import Due
from services.results.ledger.record import insert_new
from services.results.ledger.tables import metadata, supersessions
from services.results.pruning import Pruner
from services.results.requests import Desk
from services.results.restarting import Restarter
from services.results.scu import NO_CONNECTION, Answer, Parcel, ask_commitment
from services.results.settings import Destination
from services.results.tests.facts import RECEIVED, Story, job
from services.results.tests.hospital import free_port
from services.results.tests.test_ledger import EVERYTHING, STORE, content, expected
from services.results.turn import Turn
from shared.clock import ManualClock
from shared.events.models import JobFinished
from shared.identity import case_id

_PLACES = os.pathsep.join(
    [os.environ.get("PATH", ""), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
)
_SERVER, _INITDB = (shutil.which(name, path=_PLACES) for name in ("postgres", "initdb"))
_PACS = Destination(ae_title="PACS", host="127.0.0.1", port=1)

pytestmark = pytest.mark.skipif(
    not (_SERVER and _INITDB and find_spec("psycopg")),
    reason="needs PostgreSQL's server programs and psycopg",
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """An empty database; the server refuses to run as root, so it runs as somebody else."""
    user = next((u for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody")), None)
    other = user.pw_uid if os.geteuid() == 0 and user else None
    with tempfile.TemporaryDirectory(prefix="clarion-postgresql-", dir="/tmp") as folder:
        if other is not None:
            os.chown(folder, other, -1)
        data, port = Path(folder) / "data", free_port()
        subprocess.run(
            [str(_INITDB), "-D", data, "-U", "ledger", "-A", "trust", "--no-sync"],
            user=other,
            check=True,
            capture_output=True,
            cwd=folder,
        )
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
        server = subprocess.Popen(
            [str(_SERVER), "-D", data, "-p", str(port), *options],
            user=other,
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if "ready to accept connections" in line:
                    break
            yield f"postgresql+psycopg://ledger@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait()


@pytest.fixture
def intake(url: str) -> Iterator[Intake]:
    ledger = Ledger(url)
    ledger.migrate()
    yield Intake(ledger, Concluder(Definitions(STORE), ManualClock(RECEIVED)))
    with ledger.transaction() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    ledger.close()


def test_the_migrations_make_the_tables_that_the_code_uses(intake: Intake) -> None:
    with intake.ledger.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_it_keeps_what_sqlite_keeps(intake: Intake) -> None:
    intake.take(EVERYTHING[::-1])
    intake.take(EVERYTHING)
    assert content(intake.ledger) == expected(len(EVERYTHING))


def test_replicas_that_take_the_same_facts_at_once_agree(intake: Intake) -> None:
    halves = [EVERYTHING[::2], EVERYTHING[1::2]] * 2
    with ThreadPoolExecutor(4) as replicas:
        list(replicas.map(intake.take, halves))
    assert content(intake.ledger) == expected(len(EVERYTHING))


def test_what_is_read_together_is_of_one_moment(intake: Intake) -> None:
    """A run whose stages are read later than itself could seem to wait for what has ended."""
    story = Story(STORE)
    intake.take([story.input_ready()])
    with intake.ledger.reading() as connection:
        before = runs.load_facts(connection, story.job_id, 1)
        intake.take([story.made("reader")])
        assert runs.load_facts(connection, story.job_id, 1) == before == {}
    with intake.ledger.reading() as connection:
        assert runs.load_facts(connection, story.job_id, 1).keys() == {"reader"}


def test_two_replicas_never_claim_the_same_delivery(intake: Intake) -> None:
    intake.take(Story(STORE).whole())

    def claim(name: str) -> int:
        with intake.ledger.transaction() as connection:
            return len(deliveries.claim(connection, Due("pacs", job()), RECEIVED, name))

    with ThreadPoolExecutor(4) as replicas:
        assert sorted(replicas.map(claim, "abcd")) == [0, 0, 0, 4]


def test_who_notes_answers_and_who_cancels_never_wait_for_each_other(intake: Intake) -> None:
    """Both come while a third has the row that is first by key and not first to be sent."""
    intake.take(Story(STORE).whole())
    claimed, sent = Event(), Event()

    def send(_: Destination, parcels: Sequence[Parcel], __: IsWanted) -> Iterator[Answer | None]:
        claimed.set()
        sent.wait(20)
        yield from (NO_CONNECTION for _ in parcels)

    def cancel() -> None:
        with intake.ledger.transaction() as connection:
            deliveries.cancel(connection, job(), "cancelled")

    courier = Courier(
        intake.ledger, STORE, {"pacs": _PACS}, ManualClock(RECEIVED), Backoff(1, 1), "me", send,
        ask_commitment,
    )  # fmt: skip
    with ThreadPoolExecutor(2) as replicas:
        noted = replicas.submit(courier.deliver, Due("pacs", job()))
        claimed.wait(20)
        with intake.ledger.transaction() as holding:
            rows = deliveries.of_job(holding, job())
            first = min(rows, key=lambda row: row.sop_instance_uid)
            about = [Unconfirmed(first.sop_class_uid, first.sop_instance_uid, 0)]
            commitments.asking(holding, Due("pacs", job()), about, "2.25.1")
            cancelled = replicas.submit(cancel)
            _until_waiting(intake.ledger, 1)
            sent.set()
            _until_waiting(intake.ledger, 2)
        noted.result()
        cancelled.result()
    assert rows[0] != first


def _until_waiting(ledger: Ledger, many: int) -> None:
    """Return when so many transactions wait for a lock."""
    found = 0
    while found < many:
        with ledger.reading() as connection:
            waiting = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
            found = connection.execute(waiting).scalar_one()


def test_it_tells_whether_a_row_is_new(intake: Intake) -> None:
    row = {"job_id": "old", "superseded_by": "new"}
    with intake.ledger.transaction() as connection:
        found = [insert_new(connection, supersessions, row) for _ in range(2)]
    assert found == [True, False]


def test_the_ledger_s_clock_is_the_server_s_and_goes_on(intake: Intake) -> None:
    with intake.ledger.reading() as connection:
        began = connection.execute(text("SELECT now()")).scalar_one()
    assert began < intake.ledger.clock() < intake.ledger.clock()


def test_of_replicas_that_want_the_turn_at_once_one_has_it(intake: Intake) -> None:
    def take(name: str) -> bool:
        return Turn(intake.ledger, "publishing", name, ManualClock(RECEIVED)).take()

    with ThreadPoolExecutor(4) as replicas:
        assert sorted(replicas.map(take, "abcd")) == [False, False, False, True]


def test_replicas_that_find_the_same_job_late_end_it_once(intake: Intake) -> None:
    intake.take([Story(STORE).input_ready()])
    late = Concluder(Definitions(STORE), ManualClock(RECEIVED + timedelta(hours=6)))
    with ThreadPoolExecutor(4) as replicas:
        list(replicas.map(lambda _: deadlines.sweep(intake.ledger, late, RECEIVED), range(4)))
    with intake.ledger.reading() as connection:
        told = [letter.event.data for letter in outbox.unsent(connection)]
    assert [data.status for data in told if isinstance(data, JobFinished)] == ["failed"]


def test_replicas_that_find_the_same_standstill_restart_it_once(intake: Intake) -> None:
    intake.take([Story(STORE).input_ready()])
    clock, patience = ManualClock(RECEIVED + timedelta(minutes=2)), timedelta(minutes=1)
    restarter = Restarter(intake.ledger, STORE, Definitions(STORE), clock, patience)
    (seen,) = restarter.standing(RECEIVED)
    with ThreadPoolExecutor(4) as replicas:
        claimed = sorted(replicas.map(lambda _: restarter.claim(seen), range(4)))
    assert claimed == [False, False, False, True]


def test_it_prunes_what_sqlite_prunes(intake: Intake) -> None:
    intake.take(Story(STORE).whole())
    later = ManualClock(RECEIVED + timedelta(days=31))
    pruner = Pruner(intake.ledger, STORE, later, timedelta(days=8))
    assert pruner.prune(timedelta(days=30)).kept == {"not-announced": 1}
    with intake.ledger.transaction() as connection:
        letters = outbox.unsent(connection)
        outbox.mark_sent(connection, [letter.seq for letter in letters], RECEIVED)
        for sent in deliveries.claim(connection, Due("pacs", job()), RECEIVED, "me"):
            deliveries.settle(connection, sent, "me", "delivered", None, None, RECEIVED)
    assert pruner.prune(timedelta(days=30), after="no job").jobs == [job()]
    desk = Desk(intake.ledger, intake.concluder, later)
    assert (desk.rerun(job(), fresh=False), pruner.prune(timedelta(days=30)).jobs) == (2, [])
    assert pruner.prune(timedelta(days=30), after=job()).kept == {}


def test_failures_are_listed_and_left_as_in_sqlite(intake: Intake) -> None:
    """Several questions are open at once, and one is left before its end."""
    failed, late = Story(STORE), Story(STORE, case=case_id("covid19-ct", "late", "study"))
    intake.take([failed.input_ready(), failed.failed("reader"), late.input_ready()])
    clock = ManualClock(RECEIVED + timedelta(hours=6))
    concluder = Concluder(Definitions(STORE), clock)
    deadlines.sweep(intake.ledger, concluder, RECEIVED)
    archive = Archive(intake.ledger, STORE, Definitions(STORE))
    failures = Failures(archive, Desk(intake.ledger, concluder, clock))
    found = [failure.job_id for failure in failures.list(Wanted(), 100)]
    assert found == [late.job_id, failed.job_id]
    assert [failure.job_id for failure in failures.list(Wanted(), 1)] == found[:1]
    intake.take([Story(STORE, version=2).input_ready()])
    left = failures.discard(Wanted())
    assert ([done.job_id for done in left.jobs], left.next) == ([late.job_id], None)
    assert failures.discard(Wanted(), after=late.job_id).jobs == []
