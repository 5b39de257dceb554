"""`pod network rm`: remove networks."""

from __future__ import annotations

from pod.base import exits
from pod.base.errors import PodError, UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


NOT_THERE, IN_USE = 1, 2


def remove_networks(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.report import report
    from pod.engine import networks
    from pod.state import networks as rows

    force = arguments.flag("force")
    timeout = arguments.number("time")
    if timeout is not None and not force:
        raise UsageError("--time is of use with --force only")
    statuses = set()
    for name in arguments.words:
        try:
            networks.remove(engine, name, force=force, timeout_seconds=timeout)
        except rows.NoSuchNetwork as error:
            if not force:
                report(error)
                statuses.add(NOT_THERE)
        except rows.NetworkInUse as error:
            report(error)
            statuses.add(IN_USE)
        except (PodError, OSError) as error:
            report(error)
            statuses.add(exits.FAILED)
        else:
            print(name)
    # podman-network-rm(1), "Exit Status": the most serious one.
    return next((status for status in (exits.FAILED, IN_USE, NOT_THERE) if status in statuses), 0)


COMMAND = Command(
    remove_networks,
    "[OPTIONS] NETWORK...",
    description="Removes networks. One that containers are on, running or not, stays, unless --force is given.",
    options=(
        Option(
            ("-f", "--force"),
            "flag",
            "Remove the containers on the networks, too, and say nothing about networks that do not exist",
        ),
        Option(
            ("-t", "--time"),
            "number",
            "Seconds until a container that is stopped for --force is killed",
            metavar="SECONDS",
            lowest=-1,
            aliases=("--timeout",),
        ),
    ),
    minimum=1,
    maximum=None,
    completes=("network",),
    examples=("pod network rm backend", "pod network rm --force --time 0 backend"),
)
