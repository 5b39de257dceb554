"""`pod update`: change limits, restart policy, health checks and environment of containers that exist."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command
from pod.cli.options import health, limits, process, refused, select
from pod.cli.options.lifetime import RESTART

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments, Option
    from pod.engine.context import Engine
    from pod.engine.update import Changes

_LIMITS = (
    "blkio_weight blkio_weight_device cpu_period cpu_quota cpu_shares cpus cpuset_cpus cpuset_mems device_read_bps "
    "device_read_iops device_write_bps device_write_iops memory memory_reservation memory_swap pids_limit ulimit"
).split()
_REFUSED = ("cpu_rt_period cpu_rt_runtime kernel_memory memory_swappiness").split()


def update_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import for_each
    from pod.engine.update import update
    from pod.state import containers

    if arguments.flag("latest"):
        names = [select.one_name(arguments, engine)]
    elif arguments.words:
        names = arguments.words
    else:
        raise select.nothing(arguments)
    changes = _changes(arguments)

    def do(name: str) -> str:
        found = containers.find(engine.database, name)
        update(engine, found, changes)
        return found.id

    return for_each(names, do)


def _changes(arguments: Arguments) -> Changes:
    from pod.engine.update import Changes
    from pod.spec import environment

    resources = limits.given_resources(arguments)
    fields: dict[str, Any] = {}
    if arguments.given("restart"):
        from pod.spec.restart import parse_restart

        fields["restart"] = parse_restart(arguments.text("restart") or "")
    if arguments.given("ulimit"):
        from pod.spec.kernel_options import parse_ulimits

        fields["ulimits"] = parse_ulimits(arguments.texts("ulimit"))
    added = environment.parse_env(arguments.texts("env"), {})
    changes = Changes(
        resources,
        fields,
        added,
        tuple(arguments.texts("unsetenv")),
        health.read_health(arguments),
    )
    if changes == Changes():
        raise UsageError(
            f"`{arguments.spelling}` was not told what to change",
            hint=f"{arguments.spelling} --help",
        )
    return changes


def _picked(options: tuple[Option, ...], names: list[str]) -> tuple[Option, ...]:
    return tuple(option for option in options if option.name in names)


COMMAND = Command(
    update_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description=(
        "Changes limits and health checks of containers, at once if they run, their restart policy, and their "
        "environment and --ulimit for the next start. If one value is refused, nothing is changed."
    ),
    options=(
        *_picked(limits.OPTIONS, _LIMITS),
        *_picked(process.OPTIONS, ["env", "unsetenv"]),
        *health.OPTIONS,
        *_picked(refused.OPTIONS, _REFUSED),
        select.LATEST,
        RESTART,
    ),
    maximum=None,
    completes=("container",),
    examples=("pod update --memory 512m --cpus 1.5 web", "pod update --restart always web db"),
)
