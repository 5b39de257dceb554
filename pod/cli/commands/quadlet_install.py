"""`pod quadlet install`: have systemd run what quadlets describe."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def install_quadlets(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import quadlets

    for path in quadlets.install(
        engine,
        arguments.words,
        replace=arguments.flag("replace"),
        reload=arguments.flag("reload_systemd"),
    ):
        print(path)


COMMAND = Command(
    install_quadlets,
    "[OPTIONS] FILE|DIRECTORY|URL [FILE...]",
    description=(
        "Copies quadlets, and files that belong to them, to where systemd finds them, and prints their paths. A "
        "directory is an application, whose files stay together. Nothing is installed when a quadlet is wrong."
    ),
    options=(
        Option(
            ("--reload-systemd",), "flag", "Have systemd read its units afterwards", default=True
        ),
        Option(("-r", "--replace"), "flag", "Replace files that are there"),
    ),
    minimum=1,
    maximum=None,
    completes=("file",),
    examples=("pod quadlet install web.container", "pod quadlet install ./shop"),
)
