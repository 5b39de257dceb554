"""`pod compose cp`: copy files between services and this machine."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def copy(arguments: Arguments, engine: Engine) -> int:
    name, project = compose.load_if_there(arguments, engine)
    words = compose.given_words(arguments, "archive", "follow-link")
    for text in arguments.words:
        service, colon, path = text.partition(":")
        if colon and "/" not in service and service:
            member = compose.one_member(engine, name, project, service, arguments.number("index"))
            words.append(f"{member.name}:{path}")
        else:
            words.append(text)
    return compose.call("cp", engine, words)


COMMAND = Command(
    copy,
    "[OPTIONS] SERVICE:PATH PATH|-",
    description=(
        "Copies files out of the container of a service, or into it when SERVICE:PATH comes second. It is `pod cp` for "
        "containers of services."
    ),
    options=(
        Option(("-a", "--archive"), "flag", "Keep user and group ids"),
        Option(("-L", "--follow-link"), "flag", "Copy what symbolic links refer to"),
        Option(("--index",), "number", "Number of the container", metavar="N", lowest=1),
        Option(("--all",), "flag", refused="name one container by --index"),
    ),
    minimum=2,
    maximum=2,
    examples=("pod compose cp web:/etc/nginx/nginx.conf .", "pod compose cp page.html web:/site/"),
)  # fmt: skip
