"""Updates as `deploy.update_config` says: so many containers at a time, the new one first or the old one, on as long
as the new ones are well, and back to the old ones where they are not.

Until a container has been replaced, the old one stays, stopped and under another name; where going back was asked for,
until all of the service have been. A kill leaves both, of which the next `up` goes on with the newer one.
"""

from __future__ import annotations

import time

from pod.base import faults
from pod.base.errors import PodError
from pod.base.records import Record
from pod.compose import identity, making, members, ready, schedule
from pod.compose.errors import ComposeError
from pod.compose.reading import Reading
from pod.compose.tree import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pod.compose.members import Member
    from pod.compose.plan import Step
    from pod.compose.project import Project
    from pod.compose.resources import Tell
    from pod.compose.up import UpOptions
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig

_POLL_SECONDS = 0.1
_SPARE_SECONDS = faults.seconds("SPARE", 2.0)
PAUSE, GO_ON, GO_BACK = "pause", "continue", "rollback"


class NotUpdated(ComposeError):
    """The new containers of a service did not become what they should."""

    exit_status = 1


class Way(Record):
    """How containers are replaced: `at_once` of them, 0 for all; `failure_ratio` of all may fail."""

    at_once: int = 1
    delay_seconds: float = 0.0
    monitor_seconds: float = 0.0
    on_failure: str = PAUSE
    failure_ratio: float = 0.0
    starts_first: bool = False


def way_of(project: Project, name: str, key: str = "update_config") -> Way | None:
    """What a service says in `deploy`, None where it says nothing. Raises FileError."""
    service = project.service(name)
    given = (service.get("deploy") or {}).get(key)
    if not given:
        return None
    reading = Reading(project, name, service)

    def parsed(inner: str, read: Callable[[Any], Any], usual: Any) -> Any:
        if given.get(inner) is None:
            return usual
        return reading.at(("deploy", key, inner), read, given[inner])

    choices = (PAUSE, GO_ON, GO_BACK) if key == "update_config" else (PAUSE, GO_ON)
    way = Way(
        at_once=parsed("parallelism", _count, 1),
        delay_seconds=parsed("delay", _seconds, 0.0),
        monitor_seconds=parsed("monitor", _seconds, 0.0),
        on_failure=parsed("failure_action", lambda text: _one_of(text, choices), PAUSE),
        failure_ratio=parsed("max_failure_ratio", _ratio, 0.0),
        starts_first=given.get("order", "stop-first") == "start-first",
    )
    if way.starts_first:
        for network, how in (service.get("networks") or {}).items():
            if (how or {}).get("ipv4_address") or (how or {}).get("ipv6_address"):
                raise reading.wrong(
                    "deploy", f"two containers cannot have the address on network '{network}' at once: "
                    "order: stop-first", key, "order",
                )  # fmt: skip
    return way


def _count(value: Any) -> int:
    if not text_of(value).isdecimal():
        raise PodError(f"'{value}' is not a number of containers")
    return int(value)


def _seconds(value: Any) -> float:
    from pod.base.units import parse_duration_ns

    text = text_of(value)
    return 0.0 if text in {"0", "0s"} else parse_duration_ns(text) / 1e9


def _ratio(value: Any) -> float:
    try:
        ratio = float(value)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise PodError(f"'{value}' is not a part of all containers, from 0 to 1")
    return ratio


def _one_of(text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        raise PodError(f"'{text}' is none of {', '.join(choices)}")
    return text


class Update:
    """The replacement of the containers of one service by new ones."""

    def __init__(
        self,
        engine: Engine,
        project: Project,
        steps: Sequence[Step],
        options: UpOptions,
        base: ContainerConfig,
        tell: Tell,
    ) -> None:
        self._engine = engine
        self._project = project
        self._service = steps[0].service
        self._steps = steps
        self._options = options
        self._base = base
        self._tell = tell
        self._leases = {step.number: _leases(engine, step) for step in steps}

    def run(self, way: Way) -> None:
        """Replace them all. Raises NotUpdated, when what is to be done about it has been."""
        errors: list[PodError] = []
        begun: list[Step] = []
        for batch in self._batches(self._steps, way):
            begun += batch
            failed = self._each(batch, lambda step: self._replace(step, way))
            errors += failed.values()
            has_failed = len(errors) > way.failure_ratio * len(self._steps)
            for step in batch:
                if way.on_failure == GO_BACK:
                    continue  # the old ones are needed until the end
                if step.number in failed and way.starts_first and has_failed:
                    self._take_back(step, way)  # the old one still runs
                else:
                    self._settle(step)
            if has_failed and way.on_failure == GO_BACK:
                self._go_back(begun)
                raise NotUpdated(f"{errors[0].message}; the old containers are back")
            if has_failed and way.on_failure == PAUSE:
                left = len(self._steps) - len(begun)
                rest = f"; {left} more were left as they are" if left else ""
                raise NotUpdated(f"{errors[0].message}{rest}", hint=errors[0].hint)
        if way.on_failure == GO_BACK:
            for step in begun:
                self._settle(step)
        if errors:
            raise NotUpdated(
                "; ".join(error.message for error in errors), hint=errors[0].hint
            )  # fmt: skip

    def _batches(self, steps: Sequence[Step], way: Way) -> Any:
        size = way.at_once or len(steps)
        for first in range(0, len(steps), size):
            if first and way.delay_seconds:
                time.sleep(way.delay_seconds)
            yield list(steps[first : first + size])

    def _each(self, steps: Sequence[Step], act: Callable[[Step], None]) -> dict[int, PodError]:
        """Do something for each, side by side; what went wrong, by number."""
        results = schedule.run(
            self._engine,
            {str(step.number): lambda step=step: act(step) for step in steps},  # type: ignore[misc]
            {},
            "update a container",
            keep=self._options.keep_fds,
        )
        found = {}
        for number, result in results.items():
            if isinstance(result, PodError):
                found[int(number)] = result
            elif isinstance(result, Exception):
                raise result
        return found

    def _replace(self, step: Step, way: Way) -> None:
        """A new container in the place of the old one, which stops, and stays. Raises PodError when it is not well."""
        from pod.engine import network_places, stop

        old = step.existing
        assert old is not None
        name = identity.container_name(self._project, self._service, step.number)
        if step.leftovers:
            for error in self._remove(step.leftovers):
                raise error
        row = making.row_of(self._engine, old)
        if not way.starts_first:
            network_places.spare(self._engine, row, _SPARE_SECONDS)
            stop.stop(self._engine, row, self._options.timeout_seconds)
        new = making.put_in_place(
            self._engine,
            self._project,
            step,
            row,
            self._base,
            renews_volumes=self._options.renew_volumes,
            frees_addresses=not way.starts_first,
        )
        making.start(self._engine, self._project, self._service, new)
        self._await_well(new.id, way)
        faults.step("compose: new one well")
        if way.starts_first:
            row = making.row_of(self._engine, old)
            network_places.spare(self._engine, row, _SPARE_SECONDS)
            stop.stop(self._engine, row, self._options.timeout_seconds)
        self._tell("Container", name, "Updated")

    def _await_well(self, container_id: str, way: Way) -> None:
        """Wait until a container is healthy, if it has a check, and has run as long as it is monitored."""
        deadline = time.monotonic() + way.monitor_seconds
        while True:
            for member in members.of_project(self._engine, self._project.name):
                if member.id == container_id:
                    break
            else:
                raise PodError("the new container was removed by another command")
            if said := self._fault(member):
                raise PodError(f"the new container is not well: {said}")
            is_ready = not member.is_running or member.listed.health != "starting"
            if is_ready and time.monotonic() >= deadline:
                return
            time.sleep(_POLL_SECONDS)

    def _fault(self, member: Member) -> str:
        """Why a container will not become what it should, "" where it may."""
        if member.listed.restarts:
            return "it has ended and was started again"
        if not member.is_running:
            status = ready.exit_status_of(self._engine, member)
            return f"it ended with status {status}" if status else ""
        if member.listed.health == "unhealthy":
            from pod.engine import healthcheck

            found = healthcheck.health_of(self._engine, making.row_of(self._engine, member))
            return f"it is unhealthy{ready.last_output(found)}"
        return ""

    def _settle(self, step: Step) -> None:
        """The old container goes, with volumes that the new one has not taken over."""
        from pod.engine import remove
        from pod.state import containers

        assert step.existing is not None
        rows = containers.by_ids(self._engine.database, [step.existing.id])
        volumes = set(step.existing.anonymous_volumes.values())
        kept = {
            name for new in self._new(step) for name in new.listed.config.get("anonymous_volumes", ())
        }  # fmt: skip
        for row in rows:
            remove.remove(self._engine, row, force=True, with_volumes=not kept & volumes)

    def _go_back(self, begun: Sequence[Step]) -> None:
        """The old containers in the place of the new ones, as `rollback_config` says. Raises NotUpdated."""
        way = way_of(self._project, self._service, "rollback_config") or Way()
        errors: list[PodError] = []
        for batch in self._batches(begun, way):
            errors += self._each(batch, lambda step: self._take_back(step, way)).values()
            if len(errors) > way.failure_ratio * len(begun) and way.on_failure == PAUSE:
                break
        if errors:
            raise NotUpdated(
                f"going back to the old containers failed, too: {errors[0].message}",
                hint="pod compose ps --all",
            )

    def _take_back(self, step: Step, way: Way) -> None:
        from pod.engine import rename

        assert step.existing is not None
        name = identity.container_name(self._project, self._service, step.number)
        new = self._new(step)
        if way.starts_first:
            for member in new:
                rename.rename(
                    self._engine, making.row_of(self._engine, member), f"{member.id[:12]}_{name}"
                )
        else:
            for error in self._remove(new):
                raise error
        faults.step("compose: new one out of the way")
        old = making.row_of(self._engine, step.existing)
        if old.name != name:
            rename.rename(self._engine, old, name)
            old = making.row_of(self._engine, step.existing)
        self._lease_again(step)
        making.start(self._engine, self._project, self._service, old)
        self._await_well(old.id, way)
        if way.starts_first:
            for error in self._remove(new):
                raise error
        self._tell("Container", name, "Rolled back")

    def _lease_again(self, step: Step) -> None:
        """The old container gets the addresses again that it had given up."""
        from pod.state import networks

        assert step.existing is not None
        has = networks.leases_of(self._engine.database, step.existing.id)
        for network, addresses in self._leases[step.number].items():
            if network not in has:
                networks.lease(self._engine.database, step.existing.id, network, addresses)

    def _new(self, step: Step) -> list[Member]:
        """What has been made in the place of an old container."""
        assert step.existing is not None
        return [
            member
            for member in members.of_project(self._engine, self._project.name)
            if member.service == self._service
            and member.number == step.number
            and member.id != step.existing.id
        ]

    def _remove(self, found: Sequence[Member]) -> list[PodError]:
        return making.remove_members(self._engine, found, self._tell, self._options.timeout_seconds)


def _leases(engine: Engine, step: Step) -> dict[str, list[str]]:
    from pod.state import networks

    return networks.leases_of(engine.database, step.existing.id) if step.existing else {}
