"""`pod volume rm`: remove volumes."""

from __future__ import annotations

from pod.base import exits
from pod.base.errors import PodError, UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

NOT_THERE = 1
IN_USE = 2


def remove_volumes(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import volume_remove
    from pod.state import volumes

    force = arguments.flag("force")
    timeout = arguments.number("time")
    if timeout is not None and not force:
        raise UsageError("--time is of use with --force only")
    statuses = set()
    for name in _wanted(arguments, engine):
        try:
            volume = volumes.find(engine.database, name)
            volume_remove.remove(
                engine,
                volume,
                force=force,
                timeout_seconds=None if timeout is None or timeout < 0 else timeout,
            )
        except volumes.NoSuchVolume as error:
            if not force:
                statuses.add(_told(error, NOT_THERE))
        except volumes.VolumeInUse as error:
            statuses.add(_told(error, IN_USE))
        except (PodError, OSError) as error:
            statuses.add(_told(error, exits.FAILED))
        else:
            print(volume.name)
    volume_remove.collect(engine)
    # podman-volume-rm(1), "Exit Status": the most serious one.
    return next((status for status in (exits.FAILED, IN_USE, NOT_THERE) if status in statuses), 0)


def _told(error: PodError | OSError, status: int) -> int:
    from pod.cli.report import report

    report(error)
    return status


def _wanted(arguments: Arguments, engine: Engine) -> list[str]:
    if not arguments.flag("all"):
        if not arguments.words:
            raise UsageError(
                f"`{arguments.spelling}` needs the name of a volume, or --all",
                hint=f"{arguments.spelling} --help",
            )
        return arguments.words
    if arguments.words:
        raise UsageError(f"--all excludes a name, '{arguments.words[0]}'")
    from pod.state import volumes

    return [volume.name for volume in volumes.all_of(engine.database)]


COMMAND = Command(
    remove_volumes,
    "[OPTIONS] [VOLUME...]",
    description=(
        "Removes volumes with all their files. A name may be cut short as long as it is the beginning of one name "
        "only."
    ),
    options=(
        Option(("-a", "--all"), "flag", "Remove all volumes"),
        Option(
            ("-f", "--force"),
            "flag",
            "Remove the containers that use the volumes, too, and say nothing about volumes that do not exist",
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
    maximum=None,
    completes=("volume",),
    examples=("pod volume rm data", "pod volume rm --force --time 0 data"),
)
