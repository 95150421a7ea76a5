"""Who does what only one replica may do at a time, and until when at the most."""

from datetime import datetime

from sqlalchemy import Connection, delete, or_

from services.results.ledger.record import INSERT
from services.results.ledger.tables import leases


def take(connection: Connection, name: str, holder: str, now: datetime, until: datetime) -> bool:
    """Have the lease until then, unless somebody else has it now."""
    insert = INSERT[connection.dialect.name](leases)
    free = or_(leases.c.holder == holder, leases.c.until <= now)
    statement = insert.values(name=name, holder=holder, until=until).on_conflict_do_update(
        index_elements=[leases.c.name], set_={"holder": holder, "until": until}, where=free
    )
    counted = statement.execution_options(preserve_rowcount=True)
    return bool(connection.execute(counted).rowcount > 0)


def give_back(connection: Connection, name: str, holder: str) -> None:
    """Whoever comes next need not wait."""
    mine = (leases.c.name == name, leases.c.holder == holder)
    connection.execute(delete(leases).where(*mine))
