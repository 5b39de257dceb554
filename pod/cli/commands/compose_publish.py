"""`pod compose publish`: put a project into a registry."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose, image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def publish(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import identity, publish

    project = compose.load(arguments, engine)
    publish.check(
        project, with_environment=arguments.flag("with_env"), yes=arguments.flag("yes")
    )  # fmt: skip
    tell = compose.teller(arguments)
    for name in project.services:
        if project.service(name).get("build") is not None:
            reference = identity.image_name(project, name)
            if compose.is_dry_run(arguments):
                compose.show_lines([f"{name}: push {reference}"])
                continue
            compose.call("push", engine, ["--quiet", *_passed_on(arguments), reference])
            tell("Image", reference, "Pushed")
    digests = publish.pinned(engine, project) if arguments.flag("resolve_image_digests") else {}
    target = arguments.words[0]
    if compose.is_dry_run(arguments):
        return compose.show_lines([f"{project.name}: publish {target}"])
    as_written = compose.load(arguments, engine, quiet=True, interpolate=False)
    options = image.given_options(arguments, quiet=True)
    digest = publish.publish(
        engine,
        as_written,
        target,
        options,
        digests=digests,
        oci_version=arguments.text("oci_version") or "1.1",
    )
    tell("Project", target, "Published")
    print(digest)
    return 0


def _passed_on(arguments: Arguments) -> list[str]:
    return compose.given_words(
        arguments, "authfile", "cert-dir", "creds", "retry", "retry-delay", "tls-verify"
    )


COMMAND = Command(
    publish,
    "[OPTIONS] REPOSITORY[:TAG]",
    description=(
        "Puts the files of a project, merged into one, into a registry as an artifact, as docker compose does it, and "
        "shows its digest. Images that services build are pushed first. Variables stay as they are written."
    ),
    options=(
        Option(("--oci-version",), "text", "Version of OCI that the registry knows",
               metavar="VERSION", choices=("1.0", "1.1"), default="1.1"),
        Option(("--resolve-image-digests",), "flag", "Pin images to the digests that they have here"),
        Option(("--with-env",), "flag", "Publish the files of env_file, too"),
        Option(("-y", "--yes"), "flag", "Publish also what refers to files of this machine"),
        *image.REGISTRY_OPTIONS,
        Option(("--app",), "flag", refused="images of services are not put into the artifact; push has them beside it"),
        compose.DRY_RUN,
    ),
    minimum=1,
    maximum=1,
    examples=("pod compose publish registry.example.com/team/shop:1",),
)  # fmt: skip
