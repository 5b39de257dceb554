"""`pod auto-update`: containers whose label asks for it get the newest version of their image, or the old one back.

A container that a unit of systemd has made is made anew by it, restarted; any other by us, with the configuration it
has (podman-auto-update(1) knows the first kind only). What is updated has to become ready: the unit has to start, a
container with a health check has to become healthy. Else the name goes back to the old image, and the old one starts.
"""

from __future__ import annotations

from pod.base import locks, log
from pod.base.errors import PodError
from pod.base.records import Record
from pod.engine import (
    clone,
    create,
    finish,
    healthcheck,
    images,
    registry_access,
    remove,
    rename,
    start,
    startup,
    stop,
    wait,
)
from pod.engine import pull as pulling
from pod.spec import reference as references
from pod.state import containers, events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.state.containers import Container
    from storage.images import ImageRecord

LABEL = "io.containers.autoupdate"
AUTHFILE_LABEL = "io.containers.autoupdate.authfile"
UNIT_LABEL = "PODMAN_SYSTEMD_UNIT"
_POLICIES = {"registry": "registry", "image": "registry", "local": "local"}
_OFF = ("", "disabled")
_LOOK_SECONDS = 0.25


class NotReady(PodError):
    """What was updated did not become ready."""


class Update(Record):
    """What became of one container. `updated`: "true", "false", "pending", "failed", "rolled back"."""

    container: Container
    unit: str
    policy: str
    updated: str


class _Candidate(Record):
    container: Container
    policy: str
    unit: str


def auto_update(
    engine: Engine,
    pull: PullOptions,
    *,
    dry_run: bool = False,
    rollback: bool = True,
    tell: Callable[[PodError], object],
) -> list[Update]:
    """Update what asks for it; `tell` is called with what went wrong, after which the others are still updated.

    One such command at a time: another one waits, and finds what the first has made.
    """
    engine.events.append(events.event("system", "auto-update"))
    if dry_run:
        return _look_and_update(engine, pull, dry_run=True, rollback=rollback, tell=tell)
    lock = locks.FileLock(f"{engine.paths.locks}/auto-update")
    with lock:
        try:
            return _look_and_update(engine, pull, dry_run=False, rollback=rollback, tell=tell)
        finally:
            lock.remove()


def _look_and_update(
    engine: Engine,
    pull: PullOptions,
    *,
    dry_run: bool,
    rollback: bool,
    tell: Callable[[PodError], object],
) -> list[Update]:
    updates: list[Update] = []
    newest: dict[tuple[str, str], ImageRecord | bool | None] = {}
    groups: dict[str, list[_Candidate]] = {}
    for candidate in _candidates(engine, tell):
        groups.setdefault(candidate.unit or candidate.container.id, []).append(candidate)
    for group in groups.values():
        outdated = []
        for candidate in group:
            key = (candidate.container.config.image, candidate.policy)
            if key not in newest:
                try:
                    newest[key] = _newest(engine, candidate, pull, dry_run=dry_run)
                except PodError as error:
                    tell(error)
                    newest[key] = None
            found = newest[key]
            if found is None:
                updates.append(_done(candidate, "failed"))
            elif isinstance(found, bool):
                outdated.append(candidate)
            elif found.id != candidate.container.image_id:
                if _has_gone_back(engine, candidate, found, tell):
                    updates.append(_done(candidate, "failed"))
                else:
                    outdated.append(candidate)
            else:
                updates.append(_done(candidate, "false"))
        if outdated:
            what = "pending" if dry_run else _update(engine, outdated, rollback=rollback, tell=tell)
            updates += [_done(it, what) for it in outdated]
    return updates


def _has_gone_back(
    engine: Engine,
    candidate: _Candidate,
    newest: ImageRecord,
    tell: Callable[[PodError], object],
) -> bool:
    """Whether the name means the old image again, since another container did not become ready with the new one."""
    container = candidate.container
    if images.find(engine, container.config.image).id == newest.id:
        return False
    tell(
        PodError(
            f"container '{container.name}' keeps its image '{container.config.image}': "
            "another container did not become ready with the new one"
        )
    )
    return True


def _done(candidate: _Candidate, updated: str) -> Update:
    return Update(candidate.container, candidate.unit, candidate.policy, updated)


def _candidates(engine: Engine, tell: Callable[[PodError], object]) -> Iterable[_Candidate]:
    """The running containers with the label, the oldest first."""
    for row in containers.all_of(engine.database):
        label = row.config.labels.get(LABEL, "")
        if label in _OFF or row.status != "active":
            continue
        container, run = finish.refresh(engine, row)
        if run is None or not run.has_processes:
            continue
        policy = _POLICIES.get(label)
        if policy is None:
            tell(
                PodError(
                    f"the label {LABEL} of container '{container.name}' is '{label}'",
                    hint="registry, local or disabled",
                )
            )
            continue
        yield _Candidate(container, policy, container.config.labels.get(UNIT_LABEL, ""))


def _newest(
    engine: Engine, candidate: _Candidate, pull: PullOptions, *, dry_run: bool
) -> ImageRecord | bool:
    """The image that the name means now; in a dry run, whether the registry has another one.

    Raises PodError: nothing has changed then.
    """
    container = candidate.container
    name = container.config.image
    local = images.find_if_here(engine, name)
    if candidate.policy == "local":
        if local is None:
            raise PodError(f"image '{name}' of container '{container.name}' is not here any more")
        return local
    if references.parse(name).is_short or images.location_of(name) is not None:
        raise PodError(
            f"container '{container.name}' was made of '{name}', and the policy 'registry' needs a full name",
            hint=f"make it again with REGISTRY/{name.rpartition('/')[2]}",
        )
    try:
        return _newest_of_registry(engine, container, local, pull, dry_run=dry_run)
    except PodError as error:
        raise PodError(
            f"container '{container.name}' keeps its image '{name}': {error.message}",
            hint=error.hint,
        ) from error


def _newest_of_registry(
    engine: Engine,
    container: Container,
    local: ImageRecord | None,
    pull: PullOptions,
    *,
    dry_run: bool,
) -> ImageRecord | bool:
    name = container.config.image
    authfile = container.config.labels.get(AUTHFILE_LABEL, "")
    options = pull.replace(policy="always", authfile=pull.authfile or authfile)
    if local is not None:
        from pod.image import pull as image_pull

        there = image_pull.remote_digest(
            references.parse(name).with_default_tag(),
            registry_access.access(engine, options),
            registry_access.progress_of(options),
        )
        if there in (local.digest, *local.index_digests):
            return local
    if dry_run:
        return True
    return engine.store.images.lookup(pulling.pull(engine, name, options).digest)


def _update(
    engine: Engine,
    outdated: list[_Candidate],
    *,
    rollback: bool,
    tell: Callable[[PodError], object],
) -> str:
    """Update the containers of one unit, or one container; what to say of them."""
    try:
        if outdated[0].unit:
            _restart_unit(outdated[0].unit)
        else:
            _renew(engine, outdated[0].container, rollback=rollback)
    except NotReady as error:
        tell(error)
        if not rollback:
            return "failed"
        if not outdated[0].unit:
            return "rolled back"
        try:
            for it in outdated:
                _name_old_image(engine, it.container)
            _restart_unit(outdated[0].unit)
        except PodError as failure:
            tell(failure)
            return "failed"
        return "rolled back"
    except PodError as error:
        tell(error)
        return "failed"
    return "true"


def _restart_unit(unit: str) -> None:
    """systemctl waits until the unit is ready; a container in it tells that as it was made to (--sdnotify)."""
    import os

    whose = ["--user"] if os.getuid() else []
    done = startup.run_program(["systemctl", *whose, "restart", unit], seconds=None)
    if done.returncode:
        raise NotReady(
            f"unit '{unit}' has not started with the new image: {startup.complaint_of(done)}",
            hint=f"systemctl {' '.join([*whose, 'status', unit])}",
        )


def _name_old_image(engine: Engine, container: Container) -> None:
    """The name that the container was made with means the image it was made of again."""
    from pod.engine import tag

    tag.tag(engine, container.image_id, [container.config.image])


def _renew(engine: Engine, old: Container, *, rollback: bool) -> None:
    """Replace a container by one of the newest image, with its name; the old one comes back if that fails.

    Raises NotReady then; PodError before anything is done.
    """
    if users := containers.needing(engine.database, old.id):
        names = ", ".join(it.name for it in users)
        raise PodError(f"container '{old.name}' cannot be replaced: {names} needs it")
    image = images.find(engine, old.config.image)
    config = clone.as_typed(old, clone.execution_of(engine, old)).replace(
        image=old.config.image, cid_file=old.config.cid_file, pid_file=old.config.pid_file
    )
    if old.config.auto_remove:
        raise PodError(
            f"container '{old.name}' was made with --rm: it would go when it is stopped, and could not come back",
            hint="run it without --rm, or by a quadlet",
        )
    given = old.config.networking
    networking = config.networking.replace(network=given.network, more_networks=given.more_networks)
    config = config.replace(networking=networking)  # with the addresses that it was given
    before = clone.free_name(engine, old.name)
    stop.stop(engine, old, by_user=False)
    rename.rename(engine, old, before)
    leases = _give_addresses_back(engine, old)
    made: Container | None = None
    try:
        made, lock = create.create(engine, config, image, name=old.name)
        lock.release()
        channel = start.start(engine, made)
        if channel is not None:
            channel.close()
        _await_health(engine, made)
    except PodError as error:
        if rollback:
            _go_back(engine, old, before, made, leases)
        raise NotReady(
            f"container '{old.name}' does not run with the new image: {error.message}"
        ) from error
    remove.remove(engine, _row(engine, old), force=True)


def _give_addresses_back(engine: Engine, old: Container) -> dict[str, list[str]]:
    """The container that has stopped leaves its addresses to the one that replaces it; those it had, by network."""
    if not old.config.networking.user_defined:
        return {}
    from pod.state import networks  # most containers are on none

    leases = networks.leases_of(engine.database, old.id)
    for name in leases:
        networks.give_back(engine.database, old.id, name)
    return leases


def _go_back(
    engine: Engine,
    old: Container,
    before: str,
    made: Container | None,
    leases: dict[str, list[str]],
) -> None:
    log.info(f"container '{old.name}' runs with its old image again")
    if made is not None:
        remove.remove(engine, made, force=True)
    for name, addresses in leases.items():
        from pod.state import networks

        networks.lease(engine.database, old.id, name, addresses)
    _name_old_image(engine, old)
    rename.rename(engine, old.replace(name=before), old.name)
    channel = start.start(engine, _row(engine, old))
    if channel is not None:
        channel.close()


def _await_health(engine: Engine, made: Container) -> None:
    """Wait until one with a health check is healthy; one without has to run, no more."""
    if healthcheck.active(made) is None:
        row, run = finish.refresh(engine, _row(engine, made))
        if run is None or not run.has_processes:
            raise NotReady(f"it has ended with status {row.exit_status}")
        return
    wait.wait_for(engine, _row(engine, made), ("healthy", "unhealthy", "exited"), _LOOK_SECONDS)
    row, run = finish.refresh(engine, _row(engine, made))
    if run is None or not run.has_processes:
        raise NotReady(f"it has ended with status {row.exit_status}")
    if healthcheck.health_of(engine, row).get("status") != "healthy":
        raise NotReady("it is unhealthy")


def _row(engine: Engine, container: Container) -> Container:
    return containers.by_ids(engine.database, [container.id])[0]
