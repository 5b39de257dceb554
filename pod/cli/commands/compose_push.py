"""`pod compose push`: push the images that services build."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def push(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.report import report
    from pod.compose import identity, plan

    project = compose.load(arguments, engine)
    for word in arguments.words:
        project.service(word)
    names = list(arguments.words) or list(project.services)
    if arguments.flag("include_deps"):
        names = plan.in_order(project, names)
    status = 0
    for name in names:
        service = project.service(name)
        if service.get("build") is None or "image" not in service:
            continue
        if compose.is_dry_run(arguments):
            compose.show_lines([f"{name}: push {identity.image_name(project, name)}"])
            continue
        words = ["--quiet"] if arguments.flag("quiet") else []
        try:
            compose.call("push", engine, [*words, identity.image_name(project, name)])
        except PodError as error:
            status = report(error)
    return 0 if arguments.flag("ignore_push_failures") else status


COMMAND = Command(
    push,
    "[OPTIONS] [SERVICE...]",
    description="Pushes the images of services that have both `build` and `image` to their registries.",
    options=(
        Option(("--ignore-push-failures",), "flag", "End with 0 even if an image could not be pushed"),
        Option(("--include-deps",), "flag", "Push images of services that these depend on, too"),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
        compose.DRY_RUN,
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose push",),
)  # fmt: skip
