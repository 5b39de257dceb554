"""`pod rm`: remove containers."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_NOT_THERE = 1  # exit statuses, podman-rm(1)
_RUNNING = 2


def remove_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import at_once
    from pod.engine import remove
    from pod.engine.order import waves
    from pod.state import containers

    force, ignore = arguments.flag("force"), arguments.flag("ignore")
    timeout = arguments.number("time")
    if timeout is not None and not force:
        from pod.base.errors import UsageError

        raise UsageError("--time needs --force: only a running container has to be stopped")
    names = select.chosen(
        arguments,
        engine,
        default=lambda it: not it.config.get("is_infra"),  # it goes with its pod
        needs=not ignore,
    )
    by_option = set(names) - set(arguments.words)

    def do(name: str) -> str | None:
        try:
            found = containers.find(engine.database, name)
        except containers.NoSuchContainer as error:
            if ignore or force or name in by_option:
                return None
            error.exit_status = _NOT_THERE
            raise
        try:
            removed = remove.remove(
                engine,
                found,
                force=force,
                with_volumes=arguments.flag("volumes"),
                with_dependents=arguments.flag("depend"),
                timeout_seconds=timeout,
            )
        except remove.StillRunning as error:
            error.exit_status = _RUNNING
            raise
        dependents = removed[:-1] if found.name in removed else removed
        return "\n".join([*dependents, name])

    status = 0
    for group in waves(engine, names):
        status = at_once(engine, group, do, "remove a container") or status
    return status


COMMAND = Command(
    remove_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description=(
        "Removes containers and what they have written. One that runs is removed with --force only. Volumes that have "
        "a name stay; those without one stay unless --volumes is given."
    ),
    options=(
        select.all_option("Remove all containers"),
        select.CIDFILE,
        Option(("--depend",), "flag", "Remove the containers that need it, too"),
        select.LONG_FILTER,
        Option(
            ("-f", "--force"),
            "flag",
            "Stop a container that runs; say nothing about one that does not exist",
        ),
        select.IGNORE,
        select.LATEST,
        Option(("--link",), "flag", refused="docker has given links up in favour of networks"),
        Option(
            ("-t", "--time"),
            "number",
            "Seconds until a container that does not stop is killed",
            metavar="SECONDS",
            lowest=-1,
            aliases=("--timeout",),
        ),
        Option(("-v", "--volumes"), "flag", "Remove its volumes without a name, too"),
    ),
    maximum=None,
    completes=("container",),
    examples=("pod rm web", "pod rm --force --all", "pod rm --filter status=exited"),
)
