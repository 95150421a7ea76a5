"""Ends the runs whose deadline has passed and that no queue explains."""

from datetime import datetime

from services.results.conclude import Concluder
from services.results.ledger import runs
from services.results.ledger.database import Ledger


def sweep(ledger: Ledger, concluder: Concluder, watching_since: datetime) -> int:
    """Stop every run that is late; how many there were.

    Time before `watching_since` doesn't count: after an outage of the whole system the events
    that would have ended the runs are still on their way.
    """
    with ledger.reading() as connection:
        late = [
            run
            for run, _ in runs.running(connection)
            if concluder.is_due(run, watching_since) and concluder.stands(connection, run)
        ]
    for run in late:
        with ledger.transaction() as connection:
            concluder.conclude(connection, run.job_id, run.run, stop="deadline")
    return len(late)
