"""`pod compose build`: build the images of a project."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def build(arguments: Arguments, engine: Engine) -> int:
    from pod.build.option_grammar import parse_arguments
    from pod.compose import identity, images, plan
    from pod.compose.project import with_named

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
    )
    tell = compose.teller(arguments, quiet=quiet)
    built: dict[str, str] = {}
    for name in names:
        if project.service(name).get("build") is None:
            continue
        reference = identity.image_name(project, name)
        built[reference] = images.build(engine, project, name, options)
        tell("Image", reference, "Built")
    if arguments.flag("push"):
        for reference in built:
            compose.call("push", engine, ["--quiet", reference])
            tell("Image", reference, "Pushed")
    return 0


COMMAND = Command(
    build,
    "[OPTIONS] [SERVICE...]",
    description=(
        "Builds the images of services that say how. An image without a name of its own in the file is called "
        "PROJECT-SERVICE."
    ),
    options=(
        Option(("--build-arg",), "list", "Set a variable of builds", metavar="NAME[=VALUE]"),
        Option(("--no-cache",), "flag", "Execute all steps"),
        Option(("--pull",), "flag", "Pull newer versions of the images that are built upon"),
        Option(("--push",), "flag", "Push the images then"),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
        Option(("--with-dependencies",), "flag", "Build images of services that these depend on, too"),
        Option(("--builder",), "text", refused="pod itself builds"),
        Option(("--check",), "flag", refused="pod build --check does, for one Dockerfile"),
        Option(("-m", "--memory"), "text", refused="a build has the memory of its caller"),
        Option(("--print",), "flag", refused="it is for docker's bake"),
        Option(("--provenance",), "text", refused="pod makes no attestations"),
        Option(("--sbom",), "text", refused="pod makes no attestations"),
        Option(("--ssh",), "text", refused="write it in the file: build: {ssh: [default]}"),
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose build", "pod compose build --no-cache web"),
)  # fmt: skip
