"""The rows of containers for lists: no object is made of what nobody looks at.

`pod ps` may have a thousand rows, and most of a row is a document of which it shows three fields; so it stays JSON text
until somebody asks for it, and the modules that know the types of its fields are not loaded.
"""

from __future__ import annotations

from pod.base import plainjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.state.containers import Container
    from pod.state.database import Database

_COLUMNS = (
    "id, name, status, created_ns, started_ns, finished_ns, exit_status, boot_id, image_id, "
    "config, outcome, pod"
)


class _Latest:
    """The document that was read last. Rows are looked at one by one: a thousand documents at once are 4 MB."""

    __slots__ = ("document", "summary")

    def __init__(self) -> None:
        self.summary: Summary | None = None
        self.document: dict[str, Any] = {}


class Summary:
    """A row. `status` is "created", "active" or "exited", as in pod/state/containers.py; `pod` the id of its pod."""

    __slots__ = (
        "_config_text",
        "_latest",
        "_outcome_text",
        "boot_id",
        "created_ns",
        "exit_status",
        "finished_ns",
        "id",
        "image_id",
        "name",
        "pod",
        "started_ns",
        "status",
    )

    def __init__(self, row: Sequence[Any], latest: _Latest) -> None:
        self.id: str
        (
            self.id,
            self.name,
            self.status,
            self.created_ns,
            self.started_ns,
            self.finished_ns,
            self.exit_status,
            self.boot_id,
            self.image_id,
            self._config_text,
            self._outcome_text,
            self.pod,
        ) = row
        self._latest = latest

    @property
    def config(self) -> dict[str, Any]:
        """ContainerConfig as JSON, in which fields that have their defaults are missing."""
        latest = self._latest
        if latest.summary is not self:
            latest.document = plainjson.loads(self._config_text)
            latest.summary = self
        return latest.document

    @property
    def outcome(self) -> dict[str, Any]:
        """How the last run ended."""
        return {} if self._outcome_text == "{}" else dict(plainjson.loads(self._outcome_text))

    def take_end(self, container: Container) -> None:
        """Say what the container says of its end, which is not in the row yet."""
        self.status = container.status
        self.started_ns, self.finished_ns = container.started_ns, container.finished_ns
        self.exit_status = container.exit_status
        self._outcome_text = plainjson.dumps(container.outcome)


def all_of(database: Database) -> list[Summary]:
    """Every container, the oldest first."""
    return _in_order(database.query(f"SELECT {_COLUMNS} FROM containers"))


def active(database: Database) -> list[Summary]:
    """Those that have a monitor, as far as the rows know, the oldest first."""
    return _in_order(database.query(f"SELECT {_COLUMNS} FROM containers WHERE status = 'active'"))


def _in_order(rows: list[Any]) -> list[Summary]:
    """Sorted here, since SQLite would copy the documents for that."""
    rows.sort(key=lambda row: (row[3], row[0]))
    latest = _Latest()
    return [Summary(row, latest) for row in rows]


def one(database: Database, container_id: str) -> Summary | None:
    """The container with this full id."""
    rows = database.query(f"SELECT {_COLUMNS} FROM containers WHERE id = ?", container_id)
    return Summary(rows[0], _Latest()) if rows else None


def ids_by_status(database: Database) -> dict[str, str]:
    """The status of every container by its full id."""
    return dict(database.query("SELECT id, status FROM containers"))


def dependencies(database: Database) -> list[tuple[str, str]]:
    """(container, one that it needs), by full ids."""
    return [(row[0], row[1]) for row in database.query("SELECT container, needs FROM dependencies")]
