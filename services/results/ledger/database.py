"""Opens the ledger: SQLite in WAL mode by default, PostgreSQL by its URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select, text
from sqlalchemy.exc import OperationalError

from shared.clock import system_clock
from shared.errors import Unavailable

_MIGRATIONS = Path(__file__).parent / "migrations"


class Ledger:
    """The database, in transactions. Raises `Unavailable("ledger")` wherever it is down."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        on_file = self._engine.dialect.name == "sqlite"
        self._view = {"reading": True} if on_file else {"isolation_level": "REPEATABLE READ"}

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view, which waits for no writer."""
        try:
            with self._engine.connect().execution_options(**self._view) as connection:
                yield connection
        except OperationalError as error:
            raise Unavailable("ledger") from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All of it or nothing; writers take turns."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise Unavailable("ledger") from error

    def migrate(self) -> None:
        """Bring the tables to this code's revision."""
        with self.transaction() as connection:
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def clock(self) -> datetime:
        """The time that all replicas share: leases and claims compare no replica's own clock.

        A file is used by one machine alone, whose clock it is.
        """
        if self._engine.dialect.name == "sqlite":
            return system_clock()
        with self.reading() as connection:
            now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)

    def probe(self) -> None:
        """Raises `Unavailable("ledger")` unless the database answers."""
        with self.reading() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self._engine.dispose()


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": 30})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _: object) -> None:
    """WAL, synced at each commit: offsets on the bus are committed after it, and trust it."""
    connection.isolation_level = None  # the "begin" listener decides, not the driver
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
