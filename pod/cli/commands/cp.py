"""`pod cp`: copy files between containers and this machine."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.streams import archive_output, check_input

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def copy_files(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import cp, cp_ends

    source, target = (cp_ends.parse(word) for word in arguments.words)
    if source.path == cp_ends.STREAM and target.path == cp_ends.STREAM:
        raise UsageError("'-' can only be one of the two ends")
    if target == cp_ends.Location("", cp_ends.STREAM):
        archive_output("CONTAINER:PATH")
    if source == cp_ends.Location("", cp_ends.STREAM):
        check_input("an archive")
    # Who types -a, or podman's --archive=false, wants the owners as they are.
    archive = arguments.given("archive")
    cp.copy(
        engine,
        source,
        target,
        cp_ends.Options(archive=archive, overwrite=arguments.flag("overwrite")),
    )


COMMAND = Command(
    copy_files,
    "[OPTIONS] [CONTAINER:]SOURCE [CONTAINER:]TARGET",
    description=(
        "Copies files and directories between a container, running or not, and this machine, or between two "
        "containers. With - in place of one path, a tar archive comes from standard input or goes to standard output."
    ),
    options=(
        Option(
            ("-a", "--archive"),
            "flag",
            "Keep the owners of files, instead of giving them to the container's user, or to you",
        ),
        Option(
            ("-L", "--follow-link"),
            "flag",
            "Follow a symbolic link that SOURCE is, which pod always does",
        ),
        Option(
            ("--overwrite",),
            "flag",
            "Let directories take the place of other files, and other files that of directories",
        ),
        Option(("-q", "--quiet"), "flag", "Show no progress, as pod never does"),
    ),
    minimum=2,
    maximum=2,
    completes=("container",),
    examples=(
        "pod cp web:/etc/nginx/nginx.conf .",
        "pod cp site/. web:/usr/share/nginx/html",
        "pod cp old:/data new:/data",
        "pod cp web:/var/log - | tar tv",
    ),
)
