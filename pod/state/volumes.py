"""The rows of volumes. Their content is a directory that `storage/volumes.py` looks after."""

from __future__ import annotations

from pod.base import plainjson
from pod.base.errors import PodError
from pod.base.records import Record
from pod.state.database import Database, IntegrityError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_COLUMNS = "name, created_ns, anonymous, document"


class NoSuchVolume(PodError):
    """Nothing has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no volume has the name '{name}'", hint="pod volume ls")


class VolumeTaken(PodError):
    """There is such a volume already."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"a volume with the name '{name}' exists already", hint="pod volume create --ignore"
        )


class VolumeInUse(PodError):
    """Containers have it mounted."""

    def __init__(self, name: str, users: list[str]) -> None:
        super().__init__(
            f"volume '{name}' is used by {', '.join(users)}",
            hint=f"remove them too: pod volume rm --force {name}",
        )


class Volume(Record):
    """A row. `options` are those of `pod volume create --opt`."""

    name: str
    created_ns: int
    anonymous: bool = False
    driver: str = "local"
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}
    uid: int = 0
    gid: int = 0
    has_owner: bool = False  # it was asked for, so no image changes it
    needs_copy_up: bool = True


def create(database: Database, volume: Volume) -> None:
    """Add a row. Raises VolumeTaken."""
    with database.transaction() as transaction:
        try:
            transaction.execute(
                f"INSERT INTO volumes ({_COLUMNS}) VALUES (?, ?, ?, ?)",
                volume.name,
                volume.created_ns,
                int(volume.anonymous),
                plainjson.dumps(_document(volume)),
            )
        except IntegrityError as error:
            raise VolumeTaken(volume.name) from error


def get(database: Database, name: str) -> Volume | None:
    """The volume with exactly this name."""
    rows = database.query(f"SELECT {_COLUMNS} FROM volumes WHERE name = ?", name)
    return _from_row(rows[0]) if rows else None


def find_exactly(database: Database, name: str) -> Volume:
    """As `get`. Raises NoSuchVolume."""
    volume = get(database, name)
    if volume is None:
        raise NoSuchVolume(name)
    return volume


def find(database: Database, text: str) -> Volume:
    """The volume with this name, or with a name that alone begins so, as podman has it."""
    rows = database.query(f"SELECT {_COLUMNS} FROM volumes WHERE name = ?", text)
    if not rows and text:
        rows = [
            row
            for row in database.query(f"SELECT {_COLUMNS} FROM volumes")
            if row[0].startswith(text)
        ]
    if len(rows) > 1:
        raise PodError(f"'{text}' is the beginning of several volume names", hint="pod volume ls")
    if not rows:
        raise NoSuchVolume(text)
    return _from_row(rows[0])


def names(database: Database) -> set[str]:
    """Of all volumes."""
    return {row[0] for row in database.query("SELECT name FROM volumes")}


def all_of(database: Database) -> list[Volume]:
    """Every volume, by name."""
    return [
        _from_row(row) for row in database.query(f"SELECT {_COLUMNS} FROM volumes ORDER BY name")
    ]


def update(database: Database, volume: Volume) -> None:
    """Replace what the row says."""
    with database.transaction() as transaction:
        transaction.execute(
            "UPDATE volumes SET document = ? WHERE name = ?",
            plainjson.dumps(_document(volume)),
            volume.name,
        )


def users(database: Database) -> dict[str, list[str]]:
    """The ids of the containers that use each volume; volumes that nobody uses are missing."""
    found: dict[str, list[str]] = {}
    for volume, container in database.query("SELECT volume, container FROM volume_users"):
        found.setdefault(volume, []).append(container)
    return found


def remove(database: Database, name: str) -> None:
    """Remove the row. Raises VolumeInUse."""
    with database.transaction(essential=True) as transaction:
        rows = database.query(
            "SELECT containers.name FROM volume_users JOIN containers ON id = container WHERE volume = ?",
            name,
        )
        if rows:
            raise VolumeInUse(name, [row[0] for row in rows])
        transaction.execute("DELETE FROM volumes WHERE name = ?", name)


def _document(volume: Volume) -> dict[str, Any]:
    document = volume.to_json()
    for column in ("name", "created_ns", "anonymous"):
        document.pop(column, None)
    return document


def _from_row(row: tuple[Any, ...]) -> Volume:
    name, created_ns, anonymous, document = row
    return Volume.from_json(
        {
            **plainjson.loads(document),
            "name": name,
            "created_ns": created_ns,
            "anonymous": bool(anonymous),
        }
    )
