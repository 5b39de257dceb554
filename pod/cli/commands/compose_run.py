"""`pod compose run`: run a command in a new container of a service."""

from __future__ import annotations

import os

from pod.base.errors import UsageError
from pod.cli.commands.compose_up import PULL
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.compose.images import ImageOptions
    from pod.compose.one_off import Changes
    from pod.compose.project import Project
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig


def run_once(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import members, one_off
    from pod.compose.making import remove_members
    from pod.compose.project import with_named
    from pod.engine.presets import container_preset

    service = arguments.words[0]
    project = with_named(compose.load(arguments, engine), [service])
    project.service(service)
    changes = _changes(arguments, project)
    options = compose.image_options(
        arguments,
        quiet=arguments.flag("quiet_pull") or arguments.flag("quiet"),
        quiet_build=arguments.flag("quiet_build") or arguments.flag("quiet"),
        build=True if arguments.flag("build") else None,
        policy=arguments.text("pull") or "",
    )
    tell = compose.teller(arguments, quiet=arguments.flag("quiet"))
    base = container_preset(engine.settings)
    if compose.is_dry_run(arguments):
        return _show(arguments, engine, project, changes, options, base)
    if compose.removes_orphans(arguments):
        found = members.orphans(engine, project)
        if status := compose.report_all(remove_members(engine, found, tell)):
            return status
    if not arguments.flag("no_deps"):
        errors = one_off.start_dependencies(engine, project, service, options, base, tell)
        if status := compose.report_all(errors):
            return status
    return one_off.run(engine, project, service, changes, options, base, tell)


def _show(
    arguments: Arguments,
    engine: Engine,
    project: Project,
    changes: Changes,
    options: ImageOptions,
    base: ContainerConfig,
) -> int:
    """--dry-run: what would come before the container, and the container."""
    from pod.compose import members, one_off, rehearsal

    service = arguments.words[0]
    wanted = None if arguments.flag("no_deps") else one_off.wanted_before(project, service)
    lines = []
    if compose.removes_orphans(arguments):
        if wanted is None:
            lines = rehearsal.of_remove(project, members.orphans(engine, project))
        else:
            wanted = wanted.replace(remove_orphans=True)
    lines += rehearsal.of_one_off(engine, project, service, wanted, changes, options, base)
    return compose.show_lines(lines)


def _changes(arguments: Arguments, project: Project) -> Changes:
    from pod.compose.one_off import Changes
    from pod.spec import environment
    from pod.spec.mounts import parse_volume
    from pod.spec.ports import parse_port
    from pod.spec.security_option import parse_capabilities

    if arguments.given("publish") and arguments.flag("service_ports"):
        raise UsageError("--publish and --service-ports exclude each other")
    variables: dict[str, str] = {}
    for path in arguments.texts("env_from_file"):
        from pod.compose.places import read_variables

        found = read_variables(os.path.abspath(path), project.variables)
        variables |= {key: text for key, text in found.items() if text is not None}
    variables |= environment.parse_env(arguments.texts("env"), project.variables)
    is_detached = arguments.flag("detach")
    entrypoint = arguments.text("entrypoint")
    if entrypoint is not None:
        import shlex

        words = tuple(shlex.split(entrypoint))
    return Changes(
        command=tuple(arguments.words[1:]) if len(arguments.words) > 1 else None,
        entrypoint=None if entrypoint is None else words,
        environment=tuple(f"{key}={text}" for key, text in variables.items()),
        labels=environment.parse_labels(arguments.texts("label")),
        name=arguments.text("name") or "",
        user=arguments.text("user"),
        working_directory=arguments.text("workdir") or "",
        mounts=tuple(parse_volume(text) for text in arguments.texts("volume")),
        ports=tuple(port for text in arguments.texts("publish") for port in parse_port(text)),
        service_ports=arguments.flag("service_ports"),
        use_aliases=arguments.flag("use_aliases"),
        add_capabilities=parse_capabilities(arguments.texts("cap_add")),
        drop_capabilities=parse_capabilities(arguments.texts("cap_drop"), "--cap-drop"),
        remove=arguments.flag("rm"),
        detach=is_detached,
        interactive=arguments.flag("interactive") and not is_detached,
        terminal=compose.wants_terminal(arguments) and not is_detached,
    )


COMMAND = Command(
    run_once,
    "[OPTIONS] SERVICE [COMMAND [ARG...]]",
    description=(
        "Makes a container as those of a service are, with another command, and stays with it until it ends; its exit "
        "status becomes that of the command. What the service depends on is started first. Unless options say so, "
        "ports are not published, and the container has not the name of the service on its networks."
    ),
    options=(
        Option(("--build",), "flag", "Build the image first"),
        Option(("--cap-add",), "list", "Add a capability", metavar="NAME"),
        Option(("--cap-drop",), "list", "Drop a capability", metavar="NAME"),
        Option(("-d", "--detach"), "flag", "Leave the container in the background, print its name"),
        Option(("--entrypoint",), "text", "Program to run instead of the entry point", metavar="COMMAND"),
        Option(("-e", "--env"), "list", "Set an environment variable", metavar="NAME[=VALUE]"),
        Option(("--env-from-file",), "list", "Set variables from a file", metavar="FILE", completes="file"),
        Option(("-i", "--interactive"), "flag", "Keep standard input open", default=True),
        Option(("-l", "--label"), "list", "Add a label", metavar="KEY[=VALUE]"),
        Option(("--name",), "text", "Name of the container", metavar="NAME"),
        Option(("-T", "--no-tty"), "flag", "Give the command no terminal", aliases=("--no-TTY",)),
        Option(("--no-deps",), "flag", "Do not start what the service depends on"),
        Option(("-p", "--publish"), "list", "Publish a port", metavar="[[IP:][HOST]:]PORT"),
        PULL,
        Option(("-q", "--quiet"), "flag", "Do not tell what is done"),
        Option(("--quiet-build",), "flag", "Show no progress of builds"),
        Option(("--quiet-pull",), "flag", "Show no progress of pulls"),
        Option(("--remove-orphans",), "flag", "Remove containers of services that are not in the files any more"),
        Option(("--rm",), "flag", "Remove the container when it has ended"),
        Option(("-P", "--service-ports"), "flag", "Publish the ports of the service"),
        Option(("-t", "--tty"), "flag", "Give the command a terminal, as is so where there is one"),
        Option(("--use-aliases",), "flag", "Have the names of the service on its networks"),
        Option(("-u", "--user"), "text", "Run as this user and group", metavar="USER[:GROUP]"),
        Option(("-v", "--volume"), "list", "Mount a directory or volume", metavar="SOURCE:TARGET"),
        Option(("-w", "--workdir"), "text", "Working directory in the container", metavar="DIRECTORY"),
        compose.DRY_RUN,
    ),
    interspersed=False,
    minimum=1,
    maximum=None,
    completes=("service", ""),
    examples=("pod compose run --rm web ./manage.py migrate", "pod compose run --rm --entrypoint sh web"),
)  # fmt: skip
