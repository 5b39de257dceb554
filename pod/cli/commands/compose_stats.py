"""`pod compose stats`: show how much the containers of a project use."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def show_stats(arguments: Arguments, engine: Engine) -> int:
    name, _, found = compose.chosen_members(arguments, engine)
    everything = arguments.flag("all")
    shown = [member.name for member in found if everything or member.is_running]
    if not shown:
        which = "is there" if everything else "runs"
        raise PodError(f"no container of project '{name}' {which}", hint="pod compose up -d")
    words = compose.given_words(arguments, "format", "no-stream", "no-trunc")
    return compose.call("stats", engine, [*words, *shown])


COMMAND = Command(
    show_stats,
    "[OPTIONS] [SERVICE...]",
    description="Shows how much the running containers of the services use, again and again, as `pod stats` does.",
    options=(
        Option(("-a", "--all"), "flag", "Show also containers that do not run"),
        Option(("--format",), "text", "Show it by a template of Go, or as json", metavar="FORMAT"),
        Option(("--no-stream",), "flag", "Show it once"),
        Option(("--no-trunc",), "flag", "Cut nothing off"),
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose stats", "pod compose stats --no-stream web"),
)  # fmt: skip
