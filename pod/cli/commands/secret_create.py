"""`pod secret create`: store a secret."""

from __future__ import annotations

import os

from pod.base.errors import PodError, UsageError
from pod.cli.declare import Command, Option
from pod.cli.secrets import LABEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def create_secret(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.secrets import labels
    from pod.engine import secrets

    name, source = arguments.words
    if arguments.flag("replace") and arguments.flag("ignore"):
        raise UsageError("--replace and --ignore exclude each other")
    options: dict[str, str] | None = None
    for text in arguments.texts("driver_opts"):
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(
                f"invalid argument '{text}' for '--driver-opts': KEY=VALUE is expected"
            )
        options = {**(options or {}), key: value}
    if options and options.get("passphrase-file"):
        options["passphrase-file"] = os.path.abspath(options["passphrase-file"])
    secret = secrets.create(
        engine,
        name,
        _content(arguments, source),
        labels=labels(arguments),
        driver=arguments.text("driver") or "",
        options=options,
        replace=arguments.flag("replace"),
        ignore=arguments.flag("ignore"),
    )
    print(secret.id)


def _content(arguments: Arguments, source: str) -> bytes:
    if not arguments.flag("env"):
        from pod.cli.secrets import read_content

        return read_content(source, "secret")
    value = os.environ.get(source)
    if value is None:
        raise PodError(f"there is no variable '{source}' in the environment, which --env names")
    return os.fsencode(value)


COMMAND = Command(
    create_secret,
    "[OPTIONS] NAME FILE|-",
    description=(
        "Stores the content of a file, of standard input (-) or of a variable as a secret, and prints its id. "
        "Containers get it with `pod run --secret`."
    ),
    options=(
        Option(("-d", "--driver"), "text", "Driver of the secret: file", metavar="DRIVER"),
        Option(
            ("--driver-opts",),
            "comma",
            "How it is stored, such as encrypt=passphrase",
            metavar="KEY=VALUE",
        ),
        Option(("--env",), "flag", "Take the content of the variable that stands in place of FILE"),
        Option(("--ignore",), "flag", "Take it for success when the secret exists already"),
        LABEL,
        Option(("--replace",), "flag", "Replace a secret that has this name"),
        Option(("--template-driver",), "text", refused="pod fills in no templates"),
    ),
    minimum=2,
    maximum=2,
    completes=("", "file"),
    examples=(
        "pod secret create db-password password.txt",
        "head -c 32 /dev/urandom | base64 | pod secret create --driver-opts encrypt=passphrase token -",
    ),
)
