"""`pod commit`: make an image of a container."""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError, UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.commit import Explained
    from pod.engine.context import Engine


def commit_container(arguments: Arguments, engine: Engine) -> None:
    from pod.base.files import write_atomic
    from pod.engine import commit

    name, *names = arguments.words
    if arguments.flag("pause") and arguments.flag("no_pause"):
        raise UsageError("--pause and --no-pause exclude each other")
    options = commit.Options(
        name="".join(names),
        author=arguments.text("author") or "",
        changes=tuple(arguments.texts("change")),
        config=_read(arguments.text("config")),
        format=(arguments.text("format") or "oci").removesuffix("v2s2"),
        include_volumes=arguments.flag("include_volumes"),
        message=arguments.text("message") or "",
        pause=arguments.flag("pause"),
        squash=arguments.flag("squash"),
    )
    if arguments.flag("explain"):
        _explain(commit.explain(engine, name, options))
        return
    committed = commit.commit(engine, name, options)
    for sentence in committed.secrets:
        log.warning(f"{sentence}: whoever gets the image can read it")
    if path := arguments.text("iidfile"):
        write_atomic(os.path.abspath(path), committed.id.encode(), mode=0o644, sync=False)
    print(committed.id.removeprefix("sha256:"))


def _explain(explained: Explained) -> None:
    from pod.cli.output import write

    write("".join(f"{kind} {log.visible(path)}\n" for kind, path in explained.changes))
    for sentence in explained.secrets:
        log.warning(f"{sentence}: whoever gets the image can read it")


def _read(path: str | None) -> str:
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise PodError(f"file '{path}' of --config cannot be read: {why}") from error


COMMAND = Command(
    commit_container,
    "[OPTIONS] CONTAINER [NAME]",
    description=(
        "Makes an image of a container, running or not: the layers of its image, one more with what it has changed, "
        "and how it was run. Prints the id. Files and variables that look like secrets are named in warnings."
    ),
    options=(
        Option(("-a", "--author"), "text", "Author of the image", metavar="TEXT"),
        Option(
            ("-c", "--change"),
            "list",
            "Instruction of a Dockerfile that changes the image's configuration",
            metavar="INSTRUCTION",
        ),
        Option(
            ("--config",),
            "text",
            "JSON file with values for the image's configuration",
            metavar="FILE",
            completes="file",
        ),
        Option(
            ("--explain",),
            "flag",
            "Make no image; show which files it would have, and which secrets are among them",
        ),
        Option(
            ("-f", "--format"),
            "text",
            "Format of manifest and configuration",
            metavar="FORMAT",
            default="oci",
            choices=("oci", "docker", "dockerv2s2"),
        ),
        Option(("--iidfile",), "text", "Write the id to a file", metavar="FILE", completes="file"),
        Option(
            ("--include-volumes",),
            "flag",
            "Declare what is mounted in the container as volumes of the image",
        ),
        Option(("-m", "--message"), "text", "Comment in the image's history", metavar="TEXT"),
        Option(("--no-pause",), "flag", "Let the container run meanwhile, which is the default"),
        Option(("-p", "--pause"), "flag", "Let the container stand still meanwhile"),
        Option(("-q", "--quiet"), "flag", "Show no progress, as pod never does here"),
        Option(("-s", "--squash"), "flag", "Make one layer of all, instead of one more"),
    ),
    minimum=1,
    maximum=2,
    completes=("container", "image"),
    examples=(
        "pod commit web web:changed",
        "pod commit --change 'CMD [\"nginx\"]' --change 'ENV A=1' --author me web web:2",
    ),
)
