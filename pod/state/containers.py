"""The rows of containers: one each, with its configuration and how it ended last."""

from __future__ import annotations

import time

from pod.base import ids, plainjson
from pod.base.errors import PodError
from pod.base.records import Record
from pod.spec.container import ContainerConfig
from pod.state.database import Database, IntegrityError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.state.pods import Pod

_FACTS = (
    "id",
    "name",
    "status",
    "created_ns",
    "started_ns",
    "finished_ns",
    "exit_status",
    "boot_id",
    "image_id",
)
_COLUMNS = ", ".join((*_FACTS, "config", "outcome"))


class NoSuchContainer(PodError):
    """Nothing has this name or id."""

    def __init__(self, text: str) -> None:
        super().__init__(f"no container has the name or id '{text}'", hint="pod ps -a")


class AmbiguousContainer(PodError):
    """Several ids begin so."""

    def __init__(self, text: str, found: list[str]) -> None:
        shown = ", ".join(ids.short(one) for one in found[:5])
        super().__init__(
            f"'{text}' is the beginning of several container ids: {shown}", hint="give more digits"
        )


class NameTaken(PodError):
    """Another container has the name, or a pod."""

    def __init__(self, name: str, owner: str, *, is_pod: bool = False, is_new: bool = True) -> None:
        what = "pod" if is_pod else "container"
        remove = f"pod pod rm {name}" if is_pod else f"pod rm {name}"
        more = ", or use --replace" if is_new and not is_pod else ""
        super().__init__(
            f"the container name '{name}' is in use by {what} {ids.short(owner)}",
            hint=f"choose another name, remove that {what} ({remove}){more}",
        )


class StillNeeded(PodError):
    """Another container uses this one's namespaces or volumes."""

    def __init__(self, name: str, users: list[str]) -> None:
        super().__init__(
            f"container '{name}' is needed by {', '.join(users)}",
            hint=f"remove them too: pod rm --depend {name}",
        )


class Container(Record):
    """A row. `status` is "created", "active" or "exited"; whether an active one runs, its run directory tells.

    `outcome` says how the last run ended: {"error", "out_of_memory", "restarts", "stopped_by_user", ...}.
    """

    id: str
    name: str
    status: str
    created_ns: int
    started_ns: int
    finished_ns: int
    exit_status: int
    boot_id: str
    image_id: str
    config: ContainerConfig
    outcome: dict[str, Any]


def insert(database: Database, container: Container, pod: Pod | None = None) -> None:
    """Add the row, its volumes' users and its dependencies; with that of the `pod` that it is made for.

    Raises NameTaken; NoSuchVolume, NoSuchContainer, NoSuchPod for what was removed since it was looked up; for networks
    what pod.state.networks.lease raises.
    """
    config = plainjson.dumps(container.config.to_json())
    # One with --rm ends with the power, and is removed then.
    with database.transaction(durable=not container.config.auto_remove) as transaction:
        if pod is not None:
            from pod.state import pods

            pods.insert_in(database, transaction, pod)
        try:
            transaction.execute(
                f"INSERT INTO containers ({_COLUMNS}, pod) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                container.id,
                container.name,
                container.status,
                container.created_ns,
                container.started_ns,
                container.finished_ns,
                container.exit_status,
                container.boot_id,
                container.image_id,
                config,
                plainjson.dumps(container.outcome),
                container.config.pod or None,
            )
        except IntegrityError as error:
            raise _why_not(database, container.name, container.config.pod) from error
        for volume in container.config.volumes:
            try:
                transaction.execute("INSERT INTO volume_users VALUES (?, ?)", volume, container.id)
            except IntegrityError as error:
                from pod.state.volumes import NoSuchVolume

                raise NoSuchVolume(volume) from error
        for needed in container.config.needs:
            try:
                transaction.execute("INSERT INTO dependencies VALUES (?, ?)", container.id, needed)
            except IntegrityError as error:
                raise NoSuchContainer(needed) from error
        for network in container.config.networking.user_defined:
            from pod.state import networks  # most containers are on none

            wanted = [*network.values("ip"), *network.values("ip6")]
            networks.lease_in(transaction, database, container.id, network.joined, wanted)


def _why_not(database: Database, name: str, pod_id: str = "", *, is_new: bool = True) -> PodError:
    """Why a container cannot have the name, or be in the pod."""
    rows = database.query("SELECT id FROM pods WHERE name = ?", name)
    if rows:
        return NameTaken(name, rows[0][0], is_pod=True)
    if pod_id and not database.query("SELECT 1 FROM pods WHERE id = ?", pod_id):
        from pod.state.pods import NoSuchPod

        return NoSuchPod(pod_id)
    rows = database.query("SELECT id FROM containers WHERE name = ?", name)
    return NameTaken(name, rows[0][0] if rows else "", is_new=is_new)


def find(database: Database, text: str) -> Container:
    """The container with this name, id, or unique beginning of an id. Names win, as in podman."""
    rows = database.query(
        f"SELECT {_COLUMNS} FROM containers WHERE name = ? OR id = ? ORDER BY name = ? DESC",
        text,
        text,
        text,
    )
    if not rows and ids.looks_like_id(text):
        rows = database.query(
            f"SELECT {_COLUMNS} FROM containers WHERE id >= ? AND id < ?", text, text + "g"
        )
        if len(rows) > 1:
            raise AmbiguousContainer(text, [row[0] for row in rows])
    if not rows:
        raise NoSuchContainer(text)
    return _from_row(rows[0])


def all_of(database: Database) -> list[Container]:
    """Every container, the oldest first."""
    rows = database.query(f"SELECT {_COLUMNS} FROM containers ORDER BY created_ns, id")
    return [_from_row(row) for row in rows]


def active(database: Database) -> list[Container]:
    """Those whose row says that they run, the oldest first."""
    rows = database.query(
        f"SELECT {_COLUMNS} FROM containers WHERE status = 'active' ORDER BY created_ns, id"
    )
    return [_from_row(row) for row in rows]


def by_ids(database: Database, wanted: list[str]) -> list[Container]:
    """Those of the containers that exist, by full id."""
    marks = ",".join("?" * len(wanted))
    rows = database.query(f"SELECT {_COLUMNS} FROM containers WHERE id IN ({marks})", *wanted)
    return [_from_row(row) for row in rows]


def latest(database: Database) -> Container:
    """The container that was created last."""
    rows = database.query(f"SELECT {_COLUMNS} FROM containers ORDER BY created_ns DESC, id LIMIT 1")
    if not rows:
        raise PodError("there is no container yet", hint="pod run IMAGE")
    return _from_row(rows[0])


def using_image(database: Database, image_id: str) -> list[Container]:
    """The containers that were made from an image."""
    rows = database.query(f"SELECT {_COLUMNS} FROM containers WHERE image_id = ?", image_id)
    return [_from_row(row) for row in rows]


def needing(database: Database, container_id: str) -> list[Container]:
    """The containers that use this one's namespaces or volumes."""
    rows = database.query(
        f"SELECT {_COLUMNS} FROM containers WHERE id IN (SELECT container FROM dependencies WHERE needs = ?)",
        container_id,
    )
    return [_from_row(row) for row in rows]


def set_active(database: Database, container_id: str, boot_id: str) -> bool:
    """Say that a monitor is being started; False when the row is gone. How the last run ended is forgotten."""
    with database.transaction(durable=False) as transaction:
        return bool(
            transaction.execute(
                "UPDATE containers SET status = 'active', started_ns = ?, boot_id = ?, outcome = '{}' WHERE id = ?",
                time.time_ns(),
                boot_id,
                container_id,
            )
        )


def set_created(database: Database, container_id: str, outcome: dict[str, Any]) -> None:
    """Take the statement of `set_active` back: the start failed."""
    with database.transaction(essential=True, durable=False) as transaction:
        transaction.execute(
            "UPDATE containers SET status = CASE finished_ns WHEN 0 THEN 'created' ELSE 'exited' END, "
            "outcome = ? WHERE id = ?",
            plainjson.dumps(outcome),
            container_id,
        )


def set_exited(
    database: Database,
    container_id: str,
    *,
    exit_status: int,
    started_ns: int,
    finished_ns: int,
    outcome: dict[str, Any],
    durable: bool = True,
) -> None:
    """Record the end of a run."""
    with database.transaction(essential=True, durable=durable) as transaction:
        transaction.execute(
            "UPDATE containers SET status = 'exited', exit_status = ?, started_ns = ?, finished_ns = ?, "
            "outcome = ? WHERE id = ?",
            exit_status,
            started_ns,
            finished_ns,
            plainjson.dumps(outcome),
            container_id,
        )


def set_outcome(database: Database, container_id: str, outcome: dict[str, Any]) -> None:
    """Replace what is said about the container's end."""
    with database.transaction(essential=True) as transaction:
        transaction.execute(
            "UPDATE containers SET outcome = ? WHERE id = ?", plainjson.dumps(outcome), container_id
        )


def set_config(database: Database, container_id: str, config: ContainerConfig) -> None:
    """Replace the configuration."""
    with database.transaction() as transaction:
        transaction.execute(
            "UPDATE containers SET config = ? WHERE id = ?",
            plainjson.dumps(config.to_json()),
            container_id,
        )


def rename(database: Database, container: Container, name: str) -> bool:
    """Give the container another name; False when it is gone. Raises NameTaken."""
    with database.transaction() as transaction:
        try:
            return bool(
                transaction.execute(
                    "UPDATE containers SET name = ? WHERE id = ?", name, container.id
                )
            )
        except IntegrityError as error:
            raise _why_not(database, name, is_new=False) from error


def remove(database: Database, container: Container, *, volumes: Sequence[str] = ()) -> bool:
    """Remove the row, and with an infra container that of its pod; False when it was gone already.

    Those of `volumes` that no other container uses go in the same moment. Raises StillNeeded.
    """
    durable = not container.config.auto_remove
    with database.transaction(essential=True, durable=durable) as transaction:
        users = database.query("SELECT container FROM dependencies WHERE needs = ?", container.id)
        if users:
            names = database.query(
                "SELECT name FROM containers WHERE id IN (SELECT container FROM dependencies WHERE needs = ?)",
                container.id,
            )
            raise StillNeeded(container.name, [name for (name,) in names])
        is_there = transaction.execute("DELETE FROM containers WHERE id = ?", container.id)
        if container.config.is_infra:
            try:
                transaction.execute("DELETE FROM pods WHERE id = ?", container.config.pod)
            except IntegrityError as error:
                raise StillNeeded(container.name, ["other containers of its pod"]) from error
        for name in volumes:
            transaction.execute(
                "DELETE FROM volumes WHERE name = ?1 AND ?1 NOT IN (SELECT volume FROM volume_users)",
                name,
            )
        return bool(is_there)


def _from_row(row: tuple[Any, ...]) -> Container:
    *columns, config, outcome = row
    known = dict(zip(_FACTS, columns, strict=True))
    return Container(
        **known,
        config=ContainerConfig.from_json(plainjson.loads(config)),
        outcome=plainjson.loads(outcome),
    )
