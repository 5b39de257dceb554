"""`pod compose down`: stop and remove the containers of a project."""

from __future__ import annotations

from pod.cli.commands.compose_up import TIMEOUT
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def take_down(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import down, rehearsal

    name, project = compose.load_if_there(arguments, engine)
    if project is not None:
        for word in arguments.words:
            project.service(word)
    options = down.DownOptions(
        services=tuple(arguments.words),
        remove_orphans=compose.removes_orphans(arguments),
        with_volumes=arguments.flag("volumes"),
        images=arguments.text("rmi") or "",
        timeout_seconds=arguments.number("timeout"),
    )
    if compose.is_dry_run(arguments):
        return compose.show_lines(rehearsal.of_down(engine, name, project, options))
    return compose.report_all(down.down(engine, name, project, options, compose.teller(arguments)))


COMMAND = Command(
    take_down,
    "[OPTIONS] [SERVICE...]",
    description=(
        "Stops the containers of a project, dependent services first, and removes them with the networks of the "
        "project. Volumes stay unless --volumes is given. With -p NAME it needs no files: the labels say what belongs "
        "to the project. With services only their containers go."
    ),
    options=(
        Option(
            ("--remove-orphans",),
            "flag",
            "Remove containers of services that are not in the files any more, too",
        ),
        Option(
            ("--rmi",),
            "text",
            "Remove images: all, or local for those without a name of their own in the file",
            metavar="WHICH",
            choices=("all", "local"),
        ),
        TIMEOUT,
        Option(
            ("-v", "--volumes"),
            "flag",
            "Remove the volumes of the project and of its containers, too",
        ),
        compose.DRY_RUN,
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose down", "pod compose -p shop down --volumes"),
)
