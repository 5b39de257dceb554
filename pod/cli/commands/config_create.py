"""`pod config create`: store a file of settings for containers."""

from __future__ import annotations

from pod.cli import secrets as common
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def create_config(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import secrets

    name, source = arguments.words
    data = common.read_content(source, "config")
    config = secrets.create(
        engine, name, data, kind="config", labels=common.labels(arguments), options={}
    )
    print(config.id)


COMMAND = Command(
    create_config,
    "[OPTIONS] NAME FILE|-",
    description=(
        "Stores the content of a file, or of standard input (-), under a name, and prints its id. Configs are secrets "
        "that `inspect` shows; docker gives them to services, and compose files name them."
    ),
    options=(
        common.LABEL,
        Option(("--template-driver",), "text", refused="pod fills in no templates"),
    ),
    minimum=2,
    maximum=2,
    completes=("", "file"),
    examples=("pod config create nginx.conf ./nginx.conf",),
)
