"""`pod container clone`: a new container with the configuration of another."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import image, limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_LIMITS = (
    "blkio-weight blkio-weight-device cpu-period cpu-quota cpu-shares cpus cpuset-cpus cpuset-mems device-read-bps "
    "device-write-bps memory memory-reservation memory-swap"
).split()
_VERSION_1 = "it belongs to version 1 of control groups"


def clone_container(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import lookup
    from pod.engine.clone import CloneOptions, clone
    from pod.engine.images import PullOptions

    name, *more = arguments.words
    if arguments.flag("force") and not arguments.flag("destroy"):
        raise UsageError("--force is of use with --destroy only")
    if more and arguments.given("name"):
        raise UsageError(f"--name excludes the second argument, '{more[0]}', which is a name, too")
    other = lookup.container(engine, name)
    options = CloneOptions(
        name=more[0] if more else arguments.text("name") or "",
        image=more[1] if len(more) > 1 else "",
        resources=limits.changed_resources(arguments, other.config.resources),
        destroy=arguments.flag("destroy"),
        force=arguments.flag("force"),
        run=arguments.flag("run"),
        pod=arguments.text("pod") or "",
    )
    pull = PullOptions(policy=engine.settings.engine.pull_policy, progress=image.loud_progress)
    print(clone(engine, other, options, pull).id)


COMMAND = Command(
    clone_container,
    "[OPTIONS] CONTAINER [NAME [IMAGE]]",
    description=(
        "Makes a container with the configuration of another one, which may run, and prints its id. The files that the "
        "other has written are not taken along; named volumes and directories of the host are shared."
    ),
    options=(
        *(option for option in limits.OPTIONS if option.flags[-1][2:] in _LIMITS),
        *(
            Option((flag,), "text", refused=_VERSION_1)
            for flag in ("--cpu-rt-period", "--cpu-rt-runtime", "--memory-swappiness")
        ),
        Option(("--destroy",), "flag", "Remove the other container"),
        Option(("-f", "--force"), "flag", "With --destroy: even when it is running"),
        Option(
            ("--name",), "text", "Name of the clone, instead of CONTAINER-clone", metavar="NAME"
        ),
        Option(("--pod",), "text", "Make the clone in this pod", metavar="POD", completes="pod"),
        Option(("--run",), "flag", "Start the clone"),
    ),
    minimum=1,
    maximum=3,
    completes=("container", "", "image"),
    examples=(
        "pod container clone web web-two",
        "pod container clone --destroy --run --memory 1g web web-big",
        "pod container clone web web-next nginx:mainline",
    ),
)
