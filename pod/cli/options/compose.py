"""The options of `pod compose` itself, which stand before its command, and what all of its commands need."""

from __future__ import annotations

import os
import sys

from pod.base.errors import UsageError
from pod.cli.declare import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.base.errors import PodError
    from pod.cli.declare import Arguments
    from pod.compose.images import ImageOptions
    from pod.compose.members import Member
    from pod.compose.places import Asked
    from pod.compose.project import Project
    from pod.compose.resources import Tell
    from pod.engine.context import Engine

DRY_RUN = Option(("--dry-run",), "flag", "Say what would be done, and why, and change nothing")
"""It may stand behind a command, too, as with docker: those that change something have it among their options."""
OPTIONS = (
    Option(("--all-resources",), "flag", "Make networks and volumes also where no service uses them"),
    Option(
        ("--ansi",),
        "text",
        "Whether names are coloured in front of output",
        metavar="WHEN",
        choices=("auto", "always", "never"),
        default="auto",
    ),
    Option(
        ("--compatibility",),
        "flag",
        "Put _ between the parts of names of containers and images, as version 1 did",
    ),
    DRY_RUN,
    Option(
        ("--env-file",),
        "list",
        "Read variables from a file, in the place of .env",
        metavar="FILE",
        completes="file",
    ),
    Option(
        ("-f", "--file"),
        "list",
        "Compose file; several are merged, the later over the earlier; - is standard input; oci://REFERENCE and an "
        "address of git are fetched",
        metavar="FILE",
        completes="file",
    ),
    Option(
        ("--insecure-registry",),
        "list",
        "Registry that oci:// may ask without TLS, or with a certificate that nobody has signed",
        metavar="HOST[:PORT]",
    ),
    Option(
        ("--parallel",),
        "number",
        "How many services are dealt with at once, -1 for as many as there are",
        metavar="N",
        default=-1,
        lowest=-1,
    ),
    Option(("--profile",), "list", "Make services of this profile active", metavar="NAME"),
    Option(
        ("--progress",),
        "text",
        "How progress is told: lines, on a terminal drawn for builds, lines of JSON, or not at all",
        metavar="WAY",
        choices=("auto", "tty", "plain", "json", "quiet"),
        default="auto",
    ),
    Option(
        ("--project-directory",),
        "text",
        "Directory that relative paths are relative to; that of the first file when not given",
        metavar="DIRECTORY",
        completes="directory",
    ),
    Option(("-p", "--project-name"), "text", "Name of the project", metavar="NAME"),
    Option(("-c", "--context"), "text", refused="pod has no daemon elsewhere; use ssh to call it there"),
    Option(("-H", "--host"), "text", refused="pod has no daemon elsewhere; use ssh to call it there"),
    Option(("--skip-hostname-check",), "flag", refused="pod has no daemon elsewhere; use ssh to call it there"),
    Option(("--tls",), "flag", refused="pod has no daemon elsewhere; use ssh to call it there"),
    Option(("--tlscacert",), "text", refused="pod has no daemon elsewhere; use ssh to call it there"),
    Option(("--tlscert",), "text", refused="pod has no daemon elsewhere; use ssh to call it there"),
    Option(("--tlskey",), "text", refused="pod has no daemon elsewhere; use ssh to call it there"),
    Option(("--tlsverify",), "flag", refused="pod has no daemon elsewhere; use ssh to call it there"),
    Option(("--verbose",), "flag", refused="use --log-level=debug instead"),
    Option(("--workdir",), "text", refused="use --project-directory instead"),
)  # fmt: skip


def asked(arguments: Arguments, engine: Engine) -> Asked:
    """What the options of `pod compose` say about the project."""
    group = _group(arguments)

    def fetch(address: str) -> str:
        from pod.compose import remote

        return remote.fetch(engine, address, insecure=group.texts("insecure_registry"))

    return asked_of(group).replace(fetch=fetch)


def asked_of(given: Arguments) -> Asked:
    """The same of those options alone."""
    from pod.compose.places import Asked

    return Asked(
        files=tuple(given.texts("file")),
        name=given.text("project_name") or "",
        directory=given.text("project_directory") or "",
        env_files=tuple(given.texts("env_file")),
        profiles=tuple(given.texts("profile")),
        compatibility=given.flag("compatibility"),
        all_resources=given.flag("all_resources"),
    )


def load(
    arguments: Arguments,
    engine: Engine,
    *,
    quiet: bool = False,
    interpolate: bool = True,
    check: bool = True,
    resolve_paths: bool = True,
    supported: bool = True,
) -> Project:
    """The project; what is worth saying about its files is said, unless `quiet`.

    Keys that pod does not do are refused, and those that it ignores named, unless `supported` is false. Without `check`
    it does not matter whether the parts of the project fit together.
    """
    from pod.base import log
    from pod.compose import project

    loaded = project.load(
        asked(arguments, engine),
        interpolate=interpolate,
        consistent=check,
        resolve_paths=resolve_paths,
    )
    warnings = list(loaded.warnings)
    if supported and not quiet:
        from pod.compose import support

        warnings += support.check(loaded)
    for warning in () if quiet else warnings:
        log.warning(warning)
    return loaded


def load_if_there(arguments: Arguments, engine: Engine) -> tuple[str, Project | None]:
    """The name of the project, and the project where there are files for it: labels say enough for many commands."""
    from pod.compose import project
    from pod.compose.places import NoFile

    wanted = asked(arguments, engine)
    try:
        loaded = load(arguments, engine, quiet=True)
    except NoFile:
        name = project.name_only(wanted)
        if wanted.files or not name:
            raise
        return name, None
    return loaded.name, loaded


def chosen_members(
    arguments: Arguments, engine: Engine, *, one_off: bool = False
) -> tuple[str, Project | None, list[Member]]:
    """The project and the containers of the services that were named, or of all. Raises NoSuchService."""
    from pod.compose import members
    from pod.compose.project import NoSuchService

    name, project = load_if_there(arguments, engine)
    found = members.of_project(engine, name, one_off=one_off)
    known = {member.service for member in found}
    for word in arguments.words:
        if project is not None:
            project.service(word)
        elif word not in known:
            raise NoSuchService(word, sorted(known))
    if arguments.words:
        found = [member for member in found if member.service in arguments.words]
    return name, project, found


def one_member(
    engine: Engine, name: str, project: Project | None, service: str, index: int | None
) -> Member:
    """The container of a service with this number, the first without one. Raises NoSuchService, PodError."""
    from pod.base.errors import PodError
    from pod.compose import members

    if project is not None:
        project.service(service)
    found = [
        member
        for member in members.of_project(engine, name)
        if member.service == service and index in (None, member.number)
    ]
    if not found:
        which = f" with number {index}" if index is not None else ""
        raise PodError(
            f"service '{service}' of project '{name}' has no container{which}",
            hint=f"pod compose up -d {service}",
        )
    return found[0]


def call(command: str, engine: Engine, words: list[str]) -> int:
    """Do what `pod COMMAND WORDS` does, for commands that are the same for one container of a project."""
    from pod.cli import table
    from pod.cli.main import load_command
    from pod.cli.parse import parse_command

    declared = load_command(table.COMMANDS[command][0])
    return declared.run(parse_command(declared, words, f"pod {command}"), engine) or 0


def wants_terminal(arguments: Arguments) -> bool:
    """Whether a command gets a terminal: as --tty and --no-tty say, else where input and output are one."""
    if arguments.flag("no_tty"):
        return False
    return arguments.flag("tty") if arguments.given("tty") else os.isatty(0) and os.isatty(1)


def given_words(arguments: Arguments, *names: str) -> list[str]:
    """Options as they were typed, for `call`: those of the names that were."""
    words: list[str] = []
    for name in names:
        option = arguments.option_for(f"--{name}")
        key = name.replace("-", "_")
        if option is None or not arguments.given(key):
            continue
        if option.kind == "flag":
            words.append(f"--{name}={str(arguments.flag(key)).lower()}")
        elif option.kind in ("list", "comma"):
            words += [f"--{name}={text}" for text in arguments.texts(key)]
        elif option.kind == "number":
            words.append(f"--{name}={arguments.number(key)}")
        else:
            words.append(f"--{name}={arguments.text(key)}")
    return words


def is_dry_run(arguments: Arguments) -> bool:
    """Whether a command that has DRY_RUN shall change nothing."""
    return arguments.flag("dry_run") or _group(arguments).flag("dry_run")


def show_lines(lines: Iterable[str]) -> int:
    """What --dry-run has found out; the exit status."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def at_once(arguments: Arguments) -> int:
    """--parallel, or COMPOSE_PARALLEL_LIMIT: 0 for the usual bound. Raises InvalidValue."""
    group = _group(arguments)
    text = os.environ.get("COMPOSE_PARALLEL_LIMIT", "")
    if group.given("parallel") or not text:
        return max(0, group.number("parallel") or 0)
    if not text.removeprefix("-").isdecimal():
        raise UsageError(f"COMPOSE_PARALLEL_LIMIT={text} is not understood: expected is a number")
    return max(0, int(text))


def removes_orphans(arguments: Arguments) -> bool:
    """--remove-orphans, or COMPOSE_REMOVE_ORPHANS."""
    from pod.compose.places import says

    if arguments.given("remove_orphans"):
        return arguments.flag("remove_orphans")
    return says(os.environ, "COMPOSE_REMOVE_ORPHANS")


def _chosen(arguments: Arguments, name: str, variable: str) -> str:
    """What an option of `pod compose` says, or else a variable that has the same words. Raises UsageError."""
    group = _group(arguments)
    text = os.environ.get(variable, "")
    option = group.option_for(f"--{name}")
    if group.given(name) or not text or option is None:
        return group.text(name) or ""
    if text not in option.choices:
        raise UsageError(
            f"{variable}={text} is not understood: expected is one of {', '.join(option.choices)}"
        )
    return text


def teller(arguments: Arguments, *, quiet: bool = False) -> Tell:
    """Tells what was done, a line each, on standard error. Children of the command call it, too."""
    from pod.compose.places import says

    way = _chosen(arguments, "progress", "COMPOSE_PROGRESS")
    stream = 1 if says(os.environ, "COMPOSE_STATUS_STDOUT") else 2

    def tell(kind: str, name: str, state: str) -> None:
        if quiet or way == "quiet":
            return
        if way == "json":
            from pod.base import plainjson

            line = plainjson.dumps({"id": f"{kind} {name}", "status": state})
        else:
            line = f" {kind} {name}  {state}"
        os.write(stream, f"{line}\n".encode("utf-8", "surrogateescape"))

    return tell


def is_colored(arguments: Arguments) -> bool:
    """Whether names in front of output are coloured."""
    when = _chosen(arguments, "ansi", "COMPOSE_ANSI")
    if when == "auto":
        return os.isatty(1) and not os.environ.get("NO_COLOR")
    return when == "always"


def image_options(
    arguments: Arguments,
    *,
    quiet: bool = False,
    quiet_build: bool = False,
    build: bool | None = None,
    policy: str = "",
) -> ImageOptions:
    """How the images of a project are pulled and built; see ImageOptions."""
    from pod.cli.build_progress import progress_for as build_progress
    from pod.cli.progress import progress_for
    from pod.compose.images import ImageOptions
    from pod.engine.images import PullOptions

    way = _chosen(arguments, "progress", "COMPOSE_PROGRESS")
    silent = way == "quiet"
    return ImageOptions(
        pull=PullOptions(
            quiet=quiet or silent, progress=lambda: progress_for(quiet=quiet or silent)
        ),
        progress=lambda: build_progress(way, quiet=quiet_build or silent),
        build=build,
        policy=policy,
    )


def report_all(errors: Iterable[PodError]) -> int:
    """Tell each error; the exit status of the last."""
    from pod.cli.report import report

    status = 0
    for error in errors:
        status = report(error)
    return status


def flush() -> None:
    """What was printed comes before what children print."""
    sys.stdout.flush()


def _group(arguments: Arguments) -> Arguments:
    given = arguments.group
    assert given is not None, "a command of compose is called with the options of compose"
    return given
