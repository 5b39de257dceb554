from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from pod.linux import processes
from pod.spec.container import ContainerConfig
from pod.state import containers
from pod.state.containers import NameTaken
from pod.state.database import SCHEMA_VERSION, Database, DatabaseError, IntegrityError
from tests.unit.state.conftest import row


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    Database(str(tmp_path / "root/pod.db"))
    assert not os.path.exists(tmp_path / "root")


def test_a_new_database_has_the_present_schema(database: Database) -> None:
    assert database.query("PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert database.query("PRAGMA journal_mode") == [("wal",)]


def test_whoever_writes_keeps_the_rules(database: Database) -> None:
    with database.transaction():
        pass
    assert database.query("PRAGMA foreign_keys") == [(1,)]
    assert database.query("PRAGMA busy_timeout") == [(30_000,)]


def test_commands_with_one_transaction_each_keep_the_log_short(tmp_path: Path) -> None:
    """No command knows what the one before has brought into the database, since none of them closes it."""
    database = Database(str(tmp_path / "root/pod.db"))
    config = ContainerConfig(image="busybox", environment=("x" * 100_000,))
    for _ in range(30):
        processes.fork(
            lambda: containers.insert(database, row(config=config)), what="insert"
        ).result()
    assert os.path.getsize(f"{database.path}-wal") < 2 << 20
    assert len(containers.all_of(database)) == 30


def test_others_cannot_read_it(database: Database) -> None:
    assert database.query("SELECT 1") == [(1,)]
    directory = os.path.dirname(database.path)
    assert os.stat(directory).st_mode & 0o777 == 0o700


def test_a_transaction_that_fails_changes_nothing(database: Database) -> None:
    with pytest.raises(KeyError), database.transaction() as transaction:
        transaction.execute("INSERT INTO volumes (name, created_ns) VALUES ('a', 1)")
        raise KeyError
    assert database.query("SELECT * FROM volumes") == []


def test_a_transaction_can_follow_a_failed_one(database: Database) -> None:
    with pytest.raises(DatabaseError), database.transaction() as transaction:
        transaction.execute("INSERT INTO nothing VALUES (1)")
    with database.transaction() as transaction:
        transaction.execute("INSERT INTO volumes (name, created_ns) VALUES ('a', 1)")
    assert len(database.query("SELECT * FROM volumes")) == 1


def test_a_transaction_that_sqlite_has_rolled_back_keeps_its_reason(database: Database) -> None:
    """As after a full disk; "cannot rollback" is not what went wrong."""
    with pytest.raises(KeyError), database.transaction() as transaction:
        transaction.execute("ROLLBACK")
        raise KeyError
    with pytest.raises(DatabaseError, match="cannot commit"), database.transaction() as transaction:
        transaction.execute("ROLLBACK")
    with database.transaction():
        pass


def test_a_broken_rule_is_an_integrity_error(database: Database) -> None:
    with pytest.raises(IntegrityError), database.transaction() as transaction:
        for _ in range(2):
            transaction.execute("INSERT INTO volumes (name, created_ns) VALUES ('a', 1)")


def test_execute_says_how_many_rows_it_changed(database: Database) -> None:
    with database.transaction() as transaction:
        for name in "abc":
            transaction.execute("INSERT INTO volumes (name, created_ns) VALUES (?, 1)", name)
        assert transaction.execute("DELETE FROM volumes WHERE name > 'a'") == 2


def test_a_newer_database_is_refused_and_left_alone(database: Database) -> None:
    database.query("SELECT 1")
    database.close()
    with sqlite3.connect(database.path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(DatabaseError, match="newer pod") as caught:
        Database(database.path).query("SELECT 1")
    assert "--root" in (caught.value.hint or "")
    with sqlite3.connect(database.path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)
    connection.close()


@pytest.mark.parametrize(
    "data", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_database_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "pod.db"
    path.write_bytes(data)
    with pytest.raises(DatabaseError) as caught:
        Database(str(path)).query("SELECT 1")
    assert str(path) in str(caught.value)
    assert "system check" in (caught.value.hint or "")


def test_a_directory_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "pod.db").mkdir()
    with pytest.raises(DatabaseError, match=r"pod\.db"):
        Database(str(tmp_path / "pod.db")).query("SELECT 1")


def test_a_closed_database_opens_again(database: Database) -> None:
    database.query("SELECT 1")
    database.close()
    database.close()
    assert database.query("SELECT 1") == [(1,)]


def test_many_commands_may_be_the_first(tmp_path: Path) -> None:
    """Twenty processes on a root directory that does not exist yet."""
    path = str(tmp_path / "root/pod.db")
    go, gone = os.pipe()

    def first() -> None:
        os.close(gone)
        os.read(go, 1)
        containers.insert(Database(path), row())

    children = [processes.fork(first, what="insert", keep=(go, gone)) for _ in range(20)]
    os.close(go)
    os.close(gone)
    for child in children:
        child.result()
    assert len(containers.all_of(Database(path))) == 20


def test_of_many_that_want_a_name_one_gets_it(database: Database) -> None:
    database.query("SELECT 1")
    path = database.path
    database.close()
    go, gone = os.pipe()

    def want() -> bool:
        os.close(gone)
        os.read(go, 1)
        try:
            containers.insert(Database(path), row("wanted"))
        except NameTaken:
            return False
        return True

    children = [processes.fork(want, what="insert", keep=(go, gone)) for _ in range(8)]
    os.close(go)
    os.close(gone)
    assert sorted(child.result() for child in children) == [False] * 7 + [True]
