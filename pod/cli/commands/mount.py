"""`pod mount`: the files of containers as directories."""

from __future__ import annotations

from pod.base import ids
from pod.base.errors import InvalidValue, UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.mount import Mounted

FORMAT = Option(("--format",), "text", "Show it as JSON", metavar="json")


def mount_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import mount

    words = list(arguments.words)
    if sum((bool(words), arguments.flag("all"), arguments.flag("latest"))) > 1:
        raise UsageError("names, --all and --latest exclude one another")
    if arguments.flag("latest"):
        words = [select.latest(engine)]
    elif arguments.flag("all"):
        words = select.all_where(arguments, engine, None)
        if not words:
            return 0
    return show(
        arguments,
        words,
        lambda name: mount.mount(engine, name),
        lambda: mount.mounted(engine),
        whole=arguments.flag("no_trunc"),
    )


def show(
    arguments: Arguments,
    words: Sequence[str],
    do: Callable[[str], Mounted],
    listed: Callable[[], list[Mounted]],
    *,
    whole: bool,
) -> int:
    """Mount what was named and print where it is, or print what is mounted."""
    from pod.cli.output import align, json_text, write
    from pod.cli.several import for_each

    form = arguments.text("format")
    if form not in {None, "", "json"}:
        raise InvalidValue("--format", form or "", "the only one is 'json'")
    status, found = 0, []
    if words:
        status = for_each(words, lambda name: found.append(do(name)))
    else:
        found = listed()
    if form == "json":
        keys = [{"id": it.id, "Names": list(it.names), "mountpoint": it.path} for it in found]
        write(json_text(keys))
    elif len(words) == 1:
        write("".join(f"{it.path}\n" for it in found))
    else:
        shown = [
            (it.id.rpartition(":")[2] if whole else ids.short(it.id.rpartition(":")[2]), it.path)
            for it in found
        ]
        write(align(shown) if shown else "")
    return status


COMMAND = Command(
    mount_containers,
    "[OPTIONS] [CONTAINER...]",
    description=(
        "Mounts the file systems of containers and prints where, or lists those that are mounted. Only inside of "
        "`pod unshare`, where the owners of these files are yours; what is mounted there is gone when it ends."
    ),
    options=(
        select.all_option("Mount all containers"),
        FORMAT,
        select.LATEST,
        Option(("--no-trunc",), "flag", "Show whole ids", aliases=("--notruncate",)),
    ),
    maximum=None,
    completes=("container",),
    examples=("pod unshare sh -c 'ls -l $(pod mount web)/etc'",),
)
