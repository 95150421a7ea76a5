"""Ends the runs whose deadline has passed."""

from datetime import datetime

from services.results.conclude import Concluder
from services.results.ledger import runs
from services.results.ledger.database import Ledger


def sweep(ledger: Ledger, concluder: Concluder, watching_since: datetime) -> int:
    """Stop every run that is late; how many there were.

    Time before `watching_since` doesn't count: after an outage of the whole system the events
    that would have ended the runs are still on their way.
    """
    late = 0
    with ledger.reading() as connection:
        candidates = runs.running(connection)
    for job_id, number in candidates:
        with ledger.transaction() as connection:
            run = runs.load(connection, job_id, number, lock=True)
            if run and run.status == "running" and concluder.is_late(run, watching_since):
                concluder.conclude(connection, job_id, number, stop="deadline")
                late += 1
    return late
