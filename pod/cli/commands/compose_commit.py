"""`pod compose commit`: make an image of a container of a service."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def commit(arguments: Arguments, engine: Engine) -> int:
    name, project = compose.load_if_there(arguments, engine)
    service, *target = arguments.words
    member = compose.one_member(engine, name, project, service, arguments.number("index"))
    if compose.is_dry_run(arguments):
        what = f"as {target[0]}" if target else "without a name"
        return compose.show_lines([f"{service}: commit {member.name}: {what}"])
    words = compose.given_words(arguments, "author", "change", "message", "pause")
    return compose.call("commit", engine, [*words, member.name, *target])


COMMAND = Command(
    commit,
    "[OPTIONS] SERVICE [IMAGE]",
    description="Makes an image of the container of a service, as `pod commit` does.",
    options=(
        Option(("-a", "--author"), "text", "Author of the image", metavar="NAME"),
        Option(("-c", "--change"), "list", "Apply an instruction of Dockerfiles", metavar="INSTRUCTION"),
        Option(("--index",), "number", "Number of the container", metavar="N", lowest=1),
        Option(("-m", "--message"), "text", "Message in the history of the image", metavar="TEXT"),
        Option(("-p", "--pause"), "flag", "Pause the container meanwhile", default=False),
        compose.DRY_RUN,
    ),
    minimum=1,
    maximum=2,
    completes=("service", ""),
    examples=("pod compose commit web shop-web:now",),
)  # fmt: skip
