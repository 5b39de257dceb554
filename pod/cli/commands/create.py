"""`pod create`: as `pod run`, up to the start."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import container, image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def create_container(arguments: Arguments, engine: Engine) -> None:
    from pod.engine.run import create_only

    config = container.read_container(arguments, engine)
    made = create_only(
        engine,
        config,
        image.pull_options(arguments, engine.settings),
        name=arguments.text("name") or "",
        replaces=arguments.flag("replace"),
    )
    print(made.id)


COMMAND = Command(
    create_container,
    "[OPTIONS] IMAGE [COMMAND [ARG...]]",
    description=(
        "Makes a container from an image, which is pulled when it is not here, and prints its id. `pod start` starts "
        "it."
    ),
    options=container.OPTIONS,
    interspersed=False,
    minimum=1,
    maximum=None,
    completes=("image",),
    examples=(
        "pod create --name web -p 8080:80 nginx",
        "pod start --attach $(pod create -it debian)",
    ),
)
