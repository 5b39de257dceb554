"""`pod compose pull`: pull the images of a project."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def pull(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.report import report
    from pod.compose import identity, images, plan, rehearsal
    from pod.compose.project import with_named

    project = with_named(compose.load(arguments, engine), arguments.words)
    for word in arguments.words:
        project.service(word)
    names = list(arguments.words) or list(project.services)
    if arguments.flag("include_deps"):
        names = plan.in_order(project, names)
    status = 0
    done: set[str] = set()
    tell = compose.teller(arguments, quiet=arguments.flag("quiet"))
    for name in names:
        service, reference = project.service(name), identity.image_name(project, name)
        own, _ = images.policy_of(project, name)
        is_built = service.get("build") is not None
        skipped = is_built and ("image" not in service or arguments.flag("ignore_buildable"))
        if reference in done or skipped or own in {"never", "build"}:
            continue
        done.add(reference)
        policy = arguments.text("policy") or "always"
        options = compose.image_options(
            arguments, quiet=arguments.flag("quiet"), build=False, policy=policy
        )
        if compose.is_dry_run(arguments):
            compose.show_lines(rehearsal.of_images(engine, project, [name], options))
            continue
        try:
            images.pull(engine, project, name, options)
        except PodError as error:
            if not is_built:
                status = report(error)
            tell("Image", reference, "cannot be pulled")
        else:
            tell("Image", reference, "Pulled")
    return 0 if arguments.flag("ignore_pull_failures") else status


COMMAND = Command(
    pull,
    "[OPTIONS] [SERVICE...]",
    description=(
        "Pulls the images of the services. One that can be built need not be in a registry; those that only a build "
        "makes are passed over."
    ),
    options=(
        Option(("--ignore-buildable",), "flag", "Leave images alone that can be built"),
        Option(("--ignore-pull-failures",), "flag", "End with 0 even if an image could not be pulled"),
        Option(("--include-deps",), "flag", "Pull images of services that these depend on, too"),
        Option(("--policy",), "text", "When to pull",
               metavar="POLICY", choices=("missing", "always"), default="always"),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
        compose.DRY_RUN,
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose pull", "pod compose pull --ignore-buildable web"),
)  # fmt: skip
