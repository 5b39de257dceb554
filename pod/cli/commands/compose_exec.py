"""`pod compose exec`: run a command in a running container of a service."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def execute(arguments: Arguments, engine: Engine) -> int:
    name, project = compose.load_if_there(arguments, engine)
    service, *command = arguments.words
    member = compose.one_member(engine, name, project, service, arguments.number("index"))
    if compose.is_dry_run(arguments):
        return compose.show_lines([f"{service}: execute in {member.name}: {' '.join(command)}"])
    words = compose.given_words(arguments, "detach", "env", "privileged", "user", "workdir")
    if not arguments.flag("detach"):
        words.append(f"--interactive={str(arguments.flag('interactive')).lower()}")
        if compose.wants_terminal(arguments):
            words.append("--tty")
    return compose.call("exec", engine, [*words, member.name, *command])


COMMAND = Command(
    execute,
    "[OPTIONS] SERVICE COMMAND [ARG...]",
    description=(
        "Runs a command in a running container of a service. It has a terminal when standard input and output are one, "
        "and standard input is passed on. The exit status is that of the command."
    ),
    options=(
        Option(("-d", "--detach"), "flag", "Leave the command in the background"),
        Option(("-e", "--env"), "list", "Set an environment variable", metavar="NAME[=VALUE]"),
        Option(("--index",), "number", "Number of the container", metavar="N", lowest=1),
        Option(("-i", "--interactive"), "flag", "Pass standard input on", default=True),
        Option(("-T", "--no-tty"), "flag", "Give the command no terminal", aliases=("--no-TTY",)),
        Option(("--privileged",), "flag", "Give the command all rights that the caller has"),
        Option(("-t", "--tty"), "flag", "Give the command a terminal, as is so where there is one"),
        Option(("-u", "--user"), "text", "Run as this user and group", metavar="USER[:GROUP]"),
        Option(("-w", "--workdir"), "text", "Working directory in the container", metavar="DIRECTORY"),
        compose.DRY_RUN,
    ),
    interspersed=False,
    minimum=2,
    maximum=None,
    completes=("service", ""),
    examples=("pod compose exec web sh", "pod compose exec -T db pg_dump shop >shop.sql"),
)  # fmt: skip
