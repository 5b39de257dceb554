"""`pod compose config`: show what the files of a project say together, and what pod makes of each key."""

from __future__ import annotations

import sys

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.cli.declare import Arguments
    from pod.compose.project import Project
    from pod.engine.context import Engine

_LISTS = (
    "services",
    "volumes",
    "models",
    "networks",
    "images",
    "profiles",
    "environment",
    "variables",
    "explain",
)


def show_config(arguments: Arguments, engine: Engine) -> int:
    from pod.compose.project import with_named

    project = compose.load(
        arguments,
        engine,
        quiet=arguments.flag("quiet"),
        interpolate=not arguments.flag("no_interpolate"),
        check=not arguments.flag("no_consistency"),
        resolve_paths=not arguments.flag("no_path_resolution"),
        supported=False,
    )
    for word in arguments.words:
        project.service(word)
    if arguments.words:
        project = with_named(project, arguments.words)
        project = project.replace(
            services={name: project.services[name] for name in arguments.words}
        )
    given = [name for name in _LISTS if arguments.flag(name)]
    if arguments.given("hash"):
        given.append("hash")
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} exclude each other")
    if given == ["explain"]:
        return _explain(project, engine)
    if given == ["variables"]:
        return _print(_variables(arguments, engine))
    if given:
        return _print(_SHOWN[given[0]](arguments, project))
    if arguments.flag("quiet"):
        return 0
    return _whole(arguments, project, engine)


def _whole(arguments: Arguments, project: Project, engine: Engine) -> int:
    from pod.compose import canonical, publish

    is_raw = arguments.flag("no_interpolate")
    document = canonical.document(
        project,
        resolve_env=not (is_raw or arguments.flag("no_env_resolution")),
        escape=not is_raw,
        complete=not arguments.flag("no_normalize"),
    )
    if arguments.flag("lock_image_digests"):
        services = {
            name: {"image": image} for name, image in publish.pinned(engine, project).items()
        }
        document = {"name": project.name, "services": services}
    elif arguments.flag("resolve_image_digests"):
        for name, image in publish.pinned(engine, project).items():
            document["services"][name]["image"] = image
    text = canonical.text(document, arguments.text("format") or "yaml")
    path = arguments.text("output")
    if path is None:
        sys.stdout.write(text)
        return 0
    if compose.is_dry_run(arguments):
        return compose.show_lines([f"file: write {path}"])
    from pod.base.files import write_atomic

    write_atomic(path, text.encode("utf-8", "surrogateescape"), mode=0o644, sync=False)
    return 0


def _print(lines: list[str]) -> int:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _hashes(arguments: Arguments, project: Project) -> list[str]:
    from pod.compose import identity, resources

    wanted = arguments.text("hash") or "*"
    names = list(project.services) if wanted == "*" else wanted.split(",")
    for name in names:
        project.service(name)
    return [
        f"{name} {identity.hash_of(project, name, resources.contents(project, name))}"
        for name in names
    ]


def _images(arguments: Arguments, project: Project) -> list[str]:
    from pod.compose import identity

    return list(dict.fromkeys(identity.image_name(project, name) for name in project.services))


def _profiles(arguments: Arguments, project: Project) -> list[str]:
    services = [*project.services.values(), *project.inactive.values()]
    return sorted({profile for service in services for profile in service.get("profiles") or ()})


def _environment(arguments: Arguments, project: Project) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(project.variables.items())]


def _variables(arguments: Arguments, engine: Engine) -> list[str]:
    """The variables that the files use, each with its default and whether it is needed."""
    from pod.compose import variables

    rows = [("NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE")]
    rows += [
        (it.name, str(it.required).lower(), it.default, it.alternate)
        for it in variables.of_files(compose.asked(arguments, engine))
    ]
    from pod.cli.output import align

    return [line.rstrip() for line in align(rows).splitlines()]


_SHOWN: dict[str, Callable[[Arguments, Project], list[str]]] = {
    "services": lambda arguments, project: list(project.services),
    "volumes": lambda arguments, project: list(project.volumes),
    "models": lambda arguments, project: list(project.models),
    "networks": lambda arguments, project: list(project.networks),
    "images": _images,
    "profiles": _profiles,
    "environment": _environment,
    "hash": _hashes,
}


def _explain(project: Project, engine: Engine) -> int:
    """Each key with what becomes of it. The status says whether `up` would refuse one."""
    from pod.cli.output import align
    from pod.compose import explain
    from pod.compose.support import REFUSED
    from pod.engine.presets import container_preset

    lines = explain.lines_of(project, container_preset(engine.settings))
    rows = [(it.verdict, f"{it.place[0]}:{it.place[1]}", it.key, it.note) for it in lines]
    _print([line.rstrip() for line in align(rows).splitlines()])
    return 125 if any(it.verdict == REFUSED for it in lines) else 0


COMMAND = Command(
    show_config,
    "[OPTIONS] [SERVICE...]",
    description=(
        "Shows the files of a project as one, merged, with variables filled in and in long forms, after checking them. "
        "With --explain it lists each key with its line and what pod makes of it: honoured, ignored (why) or refused "
        "(what to write instead); the exit status is 125 when something is refused."
    ),
    options=(
        compose.DRY_RUN,
        Option(("--environment",), "flag", "Show the variables that files are filled in with"),
        Option(("--explain",), "flag", "Show what becomes of each key"),
        Option(("--format",), "text", "Language", metavar="FORMAT", choices=("yaml", "json"), default="yaml"),
        Option(("--hash",), "text", "Show the hashes of services, * for all", metavar="SERVICE[,SERVICE...]"),
        Option(("--images",), "flag", "Show the names of images"),
        Option(("--lock-image-digests",), "flag", "Show a file that pins the images, to be put over the others"),
        Option(("--models",), "flag", "Show the names of models, which pod itself does not run"),
        Option(("--networks",), "flag", "Show the names of networks"),
        Option(("--no-consistency",), "flag", "Do not check that services, networks and volumes fit together"),
        Option(("--no-env-resolution",), "flag", "Leave env_file and environment as they are"),
        Option(("--no-interpolate",), "flag", "Fill in no variables"),
        Option(("--no-normalize",), "flag", "Leave out what is so when nothing is said: the default network, names"),
        Option(("--no-path-resolution",), "flag", "Leave relative paths as they are written"),
        Option(("-o", "--output"), "text", "Write to a file", metavar="FILE", completes="file"),
        Option(("--profiles",), "flag", "Show the names of profiles"),
        Option(("-q", "--quiet"), "flag", "Only check the files"),
        Option(("--resolve-image-digests",), "flag", "Show images with the digests that they have here"),
        Option(("--services",), "flag", "Show the names of services"),
        Option(("--variables",), "flag", "Show the variables that files use, and their defaults"),
        Option(("--volumes",), "flag", "Show the names of volumes"),
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose config", "pod compose config --explain", "pod compose config --quiet && echo fine"),
)  # fmt: skip
