"""`pod compose build`: build the images of a project."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.compose.images import ImageOptions
    from pod.compose.project import Project
    from pod.engine.context import Engine


def build(arguments: Arguments, engine: Engine) -> int:
    from pod.build.option_grammar import parse_arguments, parse_ssh
    from pod.cli.options.build_values import refuse_makers
    from pod.compose import identity, images, plan
    from pod.compose.project import with_named

    refuse_makers(arguments)

    project = with_named(compose.load(arguments, engine), arguments.words)
    for word in arguments.words:
        project.service(word)
    names = plan.in_order(project, arguments.words or project.services)
    if arguments.words and not arguments.flag("with_dependencies"):
        names = [name for name in names if name in arguments.words]
    quiet = arguments.flag("quiet")
    given = parse_arguments(arguments.texts("build_arg"), "--build-arg", project.variables)
    options = compose.image_options(arguments, quiet=quiet, quiet_build=quiet).replace(
        no_cache=arguments.flag("no_cache"),
        build_pull=arguments.flag("pull"),
        arguments=given,
        ssh=tuple(parse_ssh(text, project.variables) for text in arguments.texts("ssh")),
        memory=arguments.text("memory") or "",
        check=arguments.flag("check"),
    )
    names = [name for name in names if project.service(name).get("build") is not None]
    if arguments.flag("print"):
        return _print(project, names, options, push=arguments.flag("push"))
    if arguments.flag("check"):
        return _check(engine, project, names, options)
    tell = compose.teller(arguments, quiet=quiet)
    if compose.is_dry_run(arguments):
        return _show(arguments, project, names)
    built: dict[str, str] = {}
    for name in names:
        reference = identity.image_name(project, name)
        built[reference] = images.build(engine, project, name, options)
        tell("Image", reference, "Built")
    if arguments.flag("push"):
        for reference in built:
            compose.call("push", engine, ["--quiet", reference])
            tell("Image", reference, "Pushed")
    return 0


def _check(engine: Engine, project: Project, names: list[str], options: ImageOptions) -> int:
    """--check: the status of the last service whose Dockerfile is not as it should be."""
    from pod.base.errors import PodError
    from pod.compose import images

    errors = []
    for name in names:
        try:
            images.build(engine, project, name, options)
        except PodError as error:
            errors.append(error)
    return compose.report_all(errors)


def _print(project: Project, names: list[str], options: ImageOptions, *, push: bool) -> int:
    from pod.compose import bake, canonical

    print(canonical.text(bake.document(project, names, options, push=push), "json"), end="")
    return 0


def _show(arguments: Arguments, project: Project, names: list[str]) -> int:
    """--dry-run: what would be built, and pushed then."""
    from pod.compose import identity, rehearsal

    references = {
        identity.image_name(project, name): name
        for name in names
        if project.service(name).get("build") is not None
    }
    verbs = ("build", "push") if arguments.flag("push") else ("build",)
    return compose.show_lines(
        rehearsal.line(name, verb, reference)
        for verb in verbs
        for reference, name in references.items()
    )


COMMAND = Command(
    build,
    "[OPTIONS] [SERVICE...]",
    description=(
        "Builds the images of services that say how. An image without a name of its own in the file is called "
        "PROJECT-SERVICE."
    ),
    options=(
        Option(("--build-arg",), "list", "Set a variable of builds", metavar="NAME[=VALUE]"),
        Option(("--check",), "flag", "Tell what is wrong or doubtful in the Dockerfiles; build nothing"),
        Option(("-m", "--memory"), "text", "Memory that commands of a build may use", metavar="SIZE"),
        Option(("--no-cache",), "flag", "Execute all steps"),
        Option(("--print",), "flag", "Show what would be built as a file for docker's bake; build nothing"),
        Option(("--pull",), "flag", "Pull newer versions of the images that are built upon"),
        Option(("--push",), "flag", "Push the images then"),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
        Option(("--ssh",), "list", "Serve keys of ssh, in the place of what the file says", metavar="ID[=PATH]"),
        Option(("--with-dependencies",), "flag", "Build images of services that these depend on, too"),
        Option(("--builder",), "text", "The builder: default, the only one", metavar="NAME", hidden=True),
        Option(("--compress",), "flag", "Without effect: no context is sent anywhere", hidden=True),
        Option(("--force-rm",), "flag", "Keep no containers of steps, as is always so", default=True, hidden=True),
        Option(("--no-rm",), "flag", refused="containers of steps never stay; pod build --on-error=shell shows one"),
        Option(("--parallel",), "flag", refused="services are built in turn, the stages of each side by side"),
        Option(("--provenance",), "text", hidden=True),
        Option(("--sbom",), "text", hidden=True),
        compose.DRY_RUN,
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose build", "pod compose build --no-cache web"),
)  # fmt: skip
