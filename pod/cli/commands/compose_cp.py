"""`pod compose cp`: copy files between services and this machine."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def copy(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import members

    name, project = compose.load_if_there(arguments, engine)
    words = compose.given_words(arguments, "archive", "follow-link")
    source, target = arguments.words
    from_service, to_service = _service_of(source), _service_of(target)
    index = arguments.number("index")
    if from_service:
        member = compose.one_member(engine, name, project, from_service, index)
        source = member.name + source[len(from_service) :]
    if not to_service:
        if compose.is_dry_run(arguments):
            return compose.show_lines([f"{from_service}: copy {source}: to {target}"])
        return compose.call("cp", engine, [*words, source, target])
    found = [compose.one_member(engine, name, project, to_service, index)]
    if index is None:
        found = [
            member
            for member in members.of_project(engine, name, one_off=arguments.flag("all"))
            if member.service == to_service
        ]
    if source == "-" and len(found) > 1:
        raise UsageError(
            f"standard input goes into one container, and service '{to_service}' has {len(found)}",
            hint="pod compose cp --index 1 ...",
        )
    if compose.is_dry_run(arguments):
        return compose.show_lines(
            f"{to_service}: copy {source}: to {it.name}{target[len(to_service) :]}" for it in found
        )
    return max(
        compose.call("cp", engine, [*words, source, member.name + target[len(to_service) :]])
        for member in found
    )


def _service_of(text: str) -> str:
    """The service of SERVICE:PATH; "" for a path of this machine."""
    service, colon, _ = text.partition(":")
    return service if colon and "/" not in service else ""


COMMAND = Command(
    copy,
    "[OPTIONS] SERVICE:PATH PATH|-",
    description=(
        "Copies files out of the first container of a service, or into all of its containers when SERVICE:PATH comes "
        "second. It is `pod cp` for containers of services."
    ),
    options=(
        Option(("--all",), "flag", "Copy into the containers of `run`, too"),
        Option(("-a", "--archive"), "flag", "Keep user and group ids"),
        Option(("-L", "--follow-link"), "flag", "Copy what symbolic links refer to"),
        Option(("--index",), "number", "Only the container of this number", metavar="N", lowest=1),
        compose.DRY_RUN,
    ),
    minimum=2,
    maximum=2,
    examples=("pod compose cp web:/etc/nginx/nginx.conf .", "pod compose cp page.html web:/site/"),
)  # fmt: skip
