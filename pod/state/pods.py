"""The rows of pods, and which containers are in one."""

from __future__ import annotations

from pod.base import ids, plainjson
from pod.base.errors import PodError
from pod.base.records import Record
from pod.spec.pods import PodConfig
from pod.state.database import Database, IntegrityError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.state.database import Transaction

_COLUMNS = "id, name, created_ns, config"


class NoSuchPod(PodError):
    """No pod has this name or id."""

    def __init__(self, text: str) -> None:
        super().__init__(f"no pod has the name or id '{text}'", hint="pod pod ps")


class AmbiguousPod(PodError):
    """Several ids begin so."""

    def __init__(self, text: str, found: list[str]) -> None:
        shown = ", ".join(ids.short(one) for one in found[:5])
        super().__init__(
            f"'{text}' is the beginning of several pod ids: {shown}", hint="give more digits"
        )


class PodNameTaken(PodError):
    """A pod or a container has the name."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(
            f"the name '{name}' is in use by a {what}",
            hint=f"choose another name, or remove that {what}",
        )


class PodInUse(PodError):
    """There is a container in it."""


class Pod(Record):
    """A row."""

    id: str
    name: str
    created_ns: int
    config: PodConfig


def insert(database: Database, pod: Pod) -> None:
    """Add the row. Raises PodNameTaken."""
    with database.transaction() as transaction:
        insert_in(database, transaction, pod)


def insert_in(database: Database, transaction: Transaction, pod: Pod) -> None:
    """As `insert`, in a transaction that is under way."""
    try:
        transaction.execute(
            f"INSERT INTO pods ({_COLUMNS}) VALUES (?, ?, ?, ?)",
            pod.id,
            pod.name,
            pod.created_ns,
            plainjson.dumps(pod.config.to_json()),
        )
    except IntegrityError as error:
        is_pod = has_name(database, pod.name)
        raise PodNameTaken(pod.name, "pod" if is_pod else "container") from error


def find(database: Database, text: str) -> Pod:
    """The pod with this name, id, or unique beginning of an id. Names win, as in podman."""
    rows = database.query(
        f"SELECT {_COLUMNS} FROM pods WHERE name = ? OR id = ? ORDER BY name = ? DESC",
        text,
        text,
        text,
    )
    if not rows and ids.looks_like_id(text):
        rows = database.query(
            f"SELECT {_COLUMNS} FROM pods WHERE id >= ? AND id < ?", text, text + "g"
        )
        if len(rows) > 1:
            raise AmbiguousPod(text, [row[0] for row in rows])
    if not rows:
        raise NoSuchPod(text)
    return _from_row(rows[0])


def by_id(database: Database, pod_id: str) -> Pod | None:
    """The pod with this full id."""
    rows = database.query(f"SELECT {_COLUMNS} FROM pods WHERE id = ?", pod_id)
    return _from_row(rows[0]) if rows else None


def all_of(database: Database) -> list[Pod]:
    """Every pod, the oldest first."""
    rows = database.query(f"SELECT {_COLUMNS} FROM pods ORDER BY created_ns, id")
    return [_from_row(row) for row in rows]


def latest(database: Database) -> Pod:
    """The pod that was created last."""
    rows = database.query(f"SELECT {_COLUMNS} FROM pods ORDER BY created_ns DESC, id LIMIT 1")
    if not rows:
        raise PodError("there is no pod yet", hint="pod pod create")
    return _from_row(rows[0])


def names(database: Database) -> dict[str, str]:
    """The name of every pod by its full id."""
    return dict(database.query("SELECT id, name FROM pods"))


def has_name(database: Database, name: str) -> bool:
    """Whether a pod has the name."""
    return bool(database.query("SELECT 1 FROM pods WHERE name = ?", name))


def members(database: Database, pod_id: str) -> list[str]:
    """The ids of the containers in a pod, the oldest first, which is its infra container if it has one."""
    rows = database.query("SELECT id FROM containers WHERE pod = ? ORDER BY created_ns, id", pod_id)
    return [row[0] for row in rows]


def memberships(database: Database) -> list[tuple[str, str]]:
    """(id of a pod, id of a container in it)."""
    rows = database.query(
        "SELECT pod, id FROM containers WHERE pod IS NOT NULL ORDER BY created_ns, id"
    )
    return [(row[0], row[1]) for row in rows]


def remove(database: Database, pod_id: str) -> bool:
    """Remove the row of a pod without containers; False when it was gone already. Raises PodInUse."""
    try:
        with database.transaction(essential=True) as transaction:
            return bool(transaction.execute("DELETE FROM pods WHERE id = ?", pod_id))
    except IntegrityError as error:
        raise PodInUse(f"pod '{ids.short(pod_id)}' has containers") from error


def _from_row(row: Sequence[Any]) -> Pod:
    pod_id, name, created_ns, config = row
    return Pod(pod_id, name, created_ns, PodConfig.from_json(plainjson.loads(config)))
