"""`pod image scp`: copy images between machines."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def copy_image(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.progress import progress_for
    from pod.engine import image_scp

    source, target = (*map(image_scp.parse_place, arguments.words), image_scp.Place())[:2]
    quiet = arguments.flag("quiet")
    lines = image_scp.copy(engine, source, target, progress_for(quiet=quiet))
    if not quiet:
        print("".join(f"{line}\n" for line in lines), end="")


COMMAND = Command(
    copy_image,
    "[OPTIONS] IMAGE [USER@]HOST[:PORT]:: | [USER@]HOST[:PORT]::IMAGE [[USER@]HOST[:PORT]::]",
    description=(
        "Copies an image to another machine, from another machine, or from one to another, by ssh. There, pod or "
        "podman must be installed; nothing needs to be running."
    ),
    options=(Option(("-q", "--quiet"), "flag", "Print nothing"),),
    minimum=1,
    maximum=2,
    completes=("image",),
    examples=(
        "pod image scp app:1.2 server::",
        "pod image scp me@server:2222::app:1.2",
        "pod image scp build::app:1.2 me@server::",
    ),
)
