"""`pod compose export`: write the files of a container of a service as an archive."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def export(arguments: Arguments, engine: Engine) -> int:
    name, project = compose.load_if_there(arguments, engine)
    service = arguments.words[0]
    member = compose.one_member(engine, name, project, service, arguments.number("index"))
    if compose.is_dry_run(arguments):
        target = arguments.text("output") or "standard output"
        return compose.show_lines([f"{service}: export {member.name}: to {target}"])
    words = compose.given_words(arguments, "output")
    return compose.call("export", engine, [*words, member.name])


COMMAND = Command(
    export,
    "[OPTIONS] SERVICE",
    description="Writes the files of the container of a service as a tar archive, as `pod export` does.",
    options=(
        Option(("-o", "--output"), "text", "Write to a file", metavar="FILE", completes="file"),
        Option(("--index",), "number", "Number of the container", metavar="N", lowest=1),
        compose.DRY_RUN,
    ),
    minimum=1,
    maximum=1,
    completes=("service",),
    examples=("pod compose export --output web.tar web",),
)  # fmt: skip
