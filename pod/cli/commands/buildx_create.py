"""`pod buildx create` and the like: scripts for docker call them, and pod has nothing to do then."""

from __future__ import annotations

from pod.base import log
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_WHY = "nothing to do: pod builds without a builder, and for all platforms"


def create_nothing(arguments: Arguments, engine: Engine | None) -> None:
    log.warning(_WHY)
    if arguments.spelling.endswith("create"):
        print("default")


COMMAND = Command(
    create_nothing,
    "[OPTIONS] [NAME...]",
    description=(
        "Does nothing but to say so: docker's builders are containers or machines with a daemon, and pod builds in the "
        "command itself. The builder that others print or take is called `default`."
    ),
    options=(
        Option(("--append",), "flag", "Without effect"),
        Option(("--bootstrap",), "flag", "Without effect"),
        Option(("--buildkitd-config",), "text", refused="pod has no buildkitd"),
        Option(("--buildkitd-flags",), "text", refused="pod has no buildkitd"),
        Option(("--leave",), "flag", "Without effect"),
        Option(("--driver",), "text", "Without effect", metavar="NAME"),
        Option(("--driver-opt",), "list", "Without effect", metavar="KEY=VALUE"),
        Option(("--name",), "text", "Without effect", metavar="NAME"),
        Option(("--node",), "text", "Without effect", metavar="NAME"),
        Option(("--platform",), "list", "Without effect", metavar="PLATFORM"),
        Option(("--use",), "flag", "Without effect"),
        Option(("--default",), "flag", "Without effect"),
        Option(("--global",), "flag", "Without effect"),
    ),
    maximum=None,
    examples=("pod buildx create --use",),
    needs_engine=False,
)
