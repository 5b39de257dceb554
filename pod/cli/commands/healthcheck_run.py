"""`pod healthcheck run`: check the health of a container now."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def check_health(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import healthcheck

    status, succeeded = healthcheck.run(engine, arguments.words[0])
    if succeeded:
        return 0
    print("starting" if status == "starting" else "unhealthy")
    return 0 if arguments.flag("ignore_result") else 1


COMMAND = Command(
    check_health,
    "[OPTIONS] CONTAINER",
    description=(
        "Runs the health check of a running container now and records the result, as its monitor does on time. Prints "
        "the status of the container when the check fails."
    ),
    options=(Option(("--ignore-result",), "flag", "Exit with 0 whatever the check says"),),
    minimum=1,
    maximum=1,
    completes=("running",),
    examples=("pod healthcheck run web",),
)
