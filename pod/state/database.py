"""The database: connection, transactions, migrations. The only module that knows SQLite.

It uses the C half of the `sqlite3` module, which lacks nothing but the conversions of dates, whose import costs 2 ms.

Write-ahead log, foreign keys, `BEGIN IMMEDIATE` for writes: see https://www.sqlite.org/wal.html. What a command has
done is synced when it says so; what matters only while the machine is on, such as that a container runs, is not: a
power cut can lose it, never the order of transactions. A connection crosses no fork but into children that end in
execve or os._exit and do nothing with it: closing the last one would write the log back and sync it, 10 ms and more.
See https://www.sqlite.org/howtocorrupt.html, section 2.6.

A container may fill the disk, and its end must be recorded and it must be removed nevertheless. So a small file beside
the database takes space that is given back before such a transaction, and taken again when there is enough. With its
space, the log can be brought into the database and emptied, so that a removal of many does not use all of it up.
"""

from __future__ import annotations

import _functools
import os
import sys
import time

from pod.base import paths
from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Functools:
    """What `_sqlite3` wants of functools while it is imported: the decorator for its cache of statements, C as well.

    The real module brings collections and types along, 2.5 ms of every command.
    """

    @staticmethod
    def lru_cache(size: int) -> Any:
        return lambda function: _functools._lru_cache_wrapper(function, size, False, tuple)


_imported: object = sys.modules.setdefault("functools", _Functools)  # type: ignore[arg-type]  # any object with the name does
import _sqlite3 as sqlite3  # noqa: E402

if _imported is _Functools:
    del sys.modules["functools"]

_BUSY_SECONDS = 30.0
_RETRY_SECONDS = 0.005
_LITTLE_BYTES = 128 << 10  # some transactions and their part of the log
_RESERVE_BYTES = 384 << 10  # enough for the database to take in what is new in the longest log
_ENOUGH_BYTES = 1 << 20
_ROOM_SECONDS = 2.0  # for readers of the log to end, where it has to be emptied
_LONGEST_LOG = 1 << 20  # bytes, before somebody who writes brings them into the database
SCHEMA_VERSION = 5  # the number of files in schema/; a test compares


class DatabaseError(PodError):
    """The database cannot be used."""


class Database:
    """One connection, opened on first use and left to the kernel at the end of the command.

    Closing the last connection would write the whole log back, some milliseconds for every command; a connection that
    is not closed leaves that to whoever finds the log long.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._can_write = False

    @property
    def connection(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _open(self.path)
        return self._connection

    def transaction(self, *, essential: bool = False, durable: bool = True) -> Transaction:
        """A write transaction as a context: committed at its end, rolled back by an exception.

        One that is `essential`, since it records what has happened or makes space, may use the reserve of a full disk.
        One that is not `durable` may be lost in a power cut, if none that is comes after it, and saves a millisecond.
        """
        connection = self.connection
        if not self._can_write:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")  # see _shorten_log
            self._can_write = True
        if essential:
            self.make_room()
        return Transaction(connection, self.path, durable=durable)

    def make_room(self) -> None:
        """Give the reserve of a full disk back, for something small that has to be written to make space."""
        try:
            if _free_bytes(self.path) < _LITTLE_BYTES:
                _release_reserve(self.path)
                _shorten_log(self.connection, self.path, 0, _ROOM_SECONDS)
                _take_reserve(self.path)
        except (OSError, DatabaseError):
            pass  # there is no root directory yet, or no database; who needs it will say so

    def query(self, statement: str, *values: Any) -> list[Any]:
        """All rows of a SELECT, outside of a transaction or in the one that is open."""
        try:
            return self.connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error

    def close(self) -> None:
        """Close the connection; before a fork, and in programs that use pod as a library."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._can_write = False


class Transaction:
    """See Database.transaction. Keep it short: no fork, no waiting, no walking of directories inside."""

    def __init__(self, connection: sqlite3.Connection, path: str, *, durable: bool = True) -> None:
        self._connection = connection
        self._path = path
        self._durable = durable

    def __enter__(self) -> Transaction:
        if self._durable:
            self.execute("PRAGMA synchronous = FULL")
        self.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.execute("COMMIT")
        finally:
            # After some errors, a full disk for one, SQLite has rolled back of its own accord.
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
            if self._durable:
                self.execute("PRAGMA synchronous = NORMAL")
        if kind is None:
            _shorten_log(self._connection, self._path, _LONGEST_LOG, 0)

    def execute(self, statement: str, *values: Any) -> int:
        """Run one statement; the number of rows that it changed. A broken constraint raises sqlite3.IntegrityError."""
        try:
            return self._connection.execute(statement, values).rowcount
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise _explained("", error) from error


IntegrityError = sqlite3.IntegrityError


def _open(path: str) -> sqlite3.Connection:
    paths.make_private(os.path.dirname(path))
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            migrate(connection, path)
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    _take_reserve(path)
    return connection


def _shorten_log(
    connection: sqlite3.Connection, path: str, longest: int, wait_seconds: float
) -> None:
    """Bring a log of more than `longest` bytes into the database and empty it, if others read it no more by then.

    Each command that opens the database while no other has it open reads the whole log, and knows nothing of what has
    been brought into the database already. SQLite itself begins the log anew with the next transaction of somebody who
    knows; so it would never be shortened by commands that have one transaction each, and have grown by 30 MB with a
    thousand containers.
    """
    try:
        if os.stat(f"{path}-wal").st_size <= longest:
            return
        connection.execute(f"PRAGMA busy_timeout = {int(wait_seconds * 1000)}")
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")
    except (OSError, sqlite3.Error):
        pass  # a full disk, for one: what was done is in the log, and the next one tries again


def _take_reserve(path: str) -> None:
    """Make the reserve when it is missing and there is enough space."""
    reserve = f"{path}.reserve"
    if os.path.exists(reserve) or _free_bytes(path) < _ENOUGH_BYTES:
        return
    try:
        fd = os.open(reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, _RESERVE_BYTES)
        finally:
            os.close(fd)
    except OSError:
        _release_reserve(path)  # a file system that is read-only, or full after all


def _release_reserve(path: str) -> None:
    try:
        os.unlink(f"{path}.reserve")
    except OSError:
        pass


def _free_bytes(path: str) -> int:
    status = os.statvfs(os.path.dirname(path) or ".")
    return status.f_bavail * status.f_frsize


def migrate(connection: sqlite3.Connection, path: str, upto: int = SCHEMA_VERSION) -> None:
    """Bring the database to schema `upto`: each file of schema/ that it has not seen runs once, in its order."""
    _use_write_ahead_log(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > upto:
            raise DatabaseError(
                f"'{path}' was written by a newer pod (schema {version}, this one knows {upto})",
                hint="install that version again, or use another --root",
            )
        for number in range(version + 1, upto + 1):
            for statement in _statements(number):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {upto}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Change the journal's kind, which of several first commands only one can do, and for which SQLite never waits."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # Python has the code from 3.11 on; 0 may be that of a busy database.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code not in (0, _SQLITE_BUSY) or time.monotonic() > deadline:
                raise
        time.sleep(_RETRY_SECONDS)


def _statements(number: int) -> list[str]:
    """The statements of one schema file. `executescript` would commit before it begins, so they are split here."""
    path = os.path.join(os.path.dirname(__file__), "schema", f"{number:04}.sql")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    found, statement = [], ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    return found


# Primary result codes, https://www.sqlite.org/rescode.html; Python names them from 3.11 on.
_SQLITE_BUSY = 5
_SQLITE_FULL = 13


def _explained(path: str, error: sqlite3.Error) -> DatabaseError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    what = f"the database '{path}'" if path else "the database"
    if code == _SQLITE_BUSY:
        return DatabaseError(f"{what} is locked by another command for too long")
    if code == _SQLITE_FULL:
        return DatabaseError(f"{what} cannot be written: the disk is full", hint="pod system prune")
    return DatabaseError(f"{what} cannot be used: {error}", hint="pod system check")
