"""`pod compose up`: make and start the containers of a project."""

from __future__ import annotations

from functools import partial

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.cli.declare import Arguments
    from pod.compose.images import ImageOptions
    from pod.compose.plan import Wishes
    from pod.compose.project import Project
    from pod.compose.up import UpOptions
    from pod.compose.watch import Watcher
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig


def bring_up(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import images, lockfile, up
    from pod.compose.lock import ProjectLock
    from pod.compose.project import with_named
    from pod.engine.presets import container_preset

    _check(arguments)
    project = with_named(compose.load(arguments, engine), arguments.words)
    options = _options(arguments, project)
    services, _ = up.chosen(project, options)
    base = container_preset(engine.settings)
    if compose.is_dry_run(arguments):
        if arguments.flag("frozen"):
            lockfile.frozen(engine, project, services)
        return show_plan(engine, project, options, base, image_options(arguments))
    tell = compose.teller(arguments, quiet=arguments.flag("quiet_up"))
    if arguments.flag("watch"):
        _watcher(
            arguments, engine, project, services, base
        )  # what is wrong is said before the start
    with ProjectLock(engine, project.name) as lock:
        ids = (
            lockfile.frozen(engine, project, services)
            if arguments.flag("frozen")
            else images.provide(engine, project, services, image_options(arguments))
        )
        status = compose.report_all(
            up.up(engine, project, options.replace(keep_fds=(lock.fd,)), ids, base, tell)
        )
    if arguments.flag("no_start") or status:
        return status
    if arguments.flag("wait"):
        limit = arguments.number("wait_timeout")
        from pod.compose import ready

        ready.wait_until_ready(engine, project, services, limit or None)
    elif not arguments.flag("detach"):
        return _stay(arguments, engine, project, services, base)
    return status


def show_plan(
    engine: Engine,
    project: Project,
    options: UpOptions,
    base: ContainerConfig,
    how: ImageOptions,
) -> int:
    """--dry-run: which images would come, and what would become of each container, and why."""
    from pod.compose import rehearsal, up

    services, _ = up.chosen(project, options)
    return compose.show_lines(
        rehearsal.of_images(engine, project, services, how)
        + rehearsal.of_up(engine, project, options, base)
    )


def _stay(
    arguments: Arguments,
    engine: Engine,
    project: Project,
    services: list[str],
    base: ContainerConfig,
) -> int:
    from pod.cli.compose_attach import Wanted, stay
    from pod.compose.watch import has_rules

    code_from = arguments.text("exit_code_from") or ""
    for name in (
        *arguments.texts("attach"),
        *arguments.texts("no_attach"),
        *filter(None, [code_from]),
    ):
        project.service(name)
    wanted = Wanted(
        shown=_shown(arguments, project, services),
        prefixes=not arguments.flag("no_log_prefix"),
        colors=compose.is_colored(arguments) and not arguments.flag("no_color"),
        times=arguments.flag("timestamps"),
        ends_with_any=arguments.flag("abort_on_container_exit"),
        ends_with_failure=arguments.flag("abort_on_container_failure"),
        code_from=code_from,
        timeout_seconds=arguments.number("timeout"),
        watcher=partial(_watcher, arguments, engine, project, services, base)
        if has_rules(project, services)
        else None,
        watches=arguments.flag("watch"),
        menu=_wants_menu(arguments),
    )
    return stay(engine, project, services, wanted, compose.teller(arguments))


def _shown(arguments: Arguments, project: Project, services: list[str]) -> list[str]:
    """Whose output is shown: that of --attach; else of what was named, and of what that depends on where it is said."""
    from pod.compose.reading import is_true

    if given := arguments.texts("attach"):
        if arguments.flag("attach_dependencies"):
            raise UsageError("--attach excludes --attach-dependencies")
        return given
    asked = services
    if arguments.words and not arguments.flag("attach_dependencies"):
        asked = arguments.words
    hidden = set(arguments.texts("no_attach"))
    return [
        name
        for name in asked
        if name not in hidden and is_true(project.service(name).get("attach", True))
    ]


def _watcher(
    arguments: Arguments,
    engine: Engine,
    project: Project,
    services: list[str],
    base: ContainerConfig,
    changed: Callable[[], None] = lambda: None,
) -> Watcher:
    from pod.compose.watch import Watcher

    images, tell = image_options(arguments), compose.teller(arguments)
    return Watcher(engine, project, services, base, images, tell, changed=changed)


def _wants_menu(arguments: Arguments) -> bool:
    """As --menu says, or COMPOSE_MENU; only where there are keys."""
    import os

    wants = arguments.flag("menu")
    if not arguments.given("menu"):
        from pod.compose.places import says

        wants = says(os.environ, "COMPOSE_MENU")
    return wants and os.isatty(0)


def _check(arguments: Arguments) -> None:
    stays = not (arguments.flag("detach") or arguments.flag("wait") or arguments.flag("no_start"))
    exclude(arguments)
    for one, other in (
        ("always_recreate_deps", "no_recreate"),
        ("detach", "abort_on_container_exit"),
        ("detach", "abort_on_container_failure"),
        ("wait", "abort_on_container_exit"),
        ("wait", "no_start"),
        ("frozen", "build"),
        ("watch", "frozen"),
        ("watch", "detach"),
        ("watch", "wait"),
        ("watch", "no_start"),
        ("watch", "abort_on_container_exit"),
        ("watch", "abort_on_container_failure"),
    ):
        if arguments.flag(one) and arguments.flag(other):
            spelled = [name.replace("_", "-") for name in (one, other)]
            raise UsageError(f"--{spelled[0]} and --{spelled[1]} exclude each other")
    if arguments.flag("frozen") and arguments.given("pull"):
        raise UsageError("--frozen and --pull exclude each other")
    for name in ("attach", "attach_dependencies", "no_attach", "exit_code_from"):
        if arguments.given(name) and not stays:
            raise UsageError(
                f"--{name.replace('_', '-')} needs a command that stays: without -d and --wait"
            )


def exclude(arguments: Arguments) -> None:
    """Refuse options of MAKING that contradict each other."""
    for one, other in (("force_recreate", "no_recreate"), ("build", "no_build")):
        if arguments.flag(one) and arguments.flag(other):
            spelled = [name.replace("_", "-") for name in (one, other)]
            raise UsageError(f"--{spelled[0]} and --{spelled[1]} exclude each other")


def _options(arguments: Arguments, project: Project) -> UpOptions:
    from pod.compose.up import UpOptions

    return UpOptions(
        services=tuple(arguments.words),
        no_deps=arguments.flag("no_deps"),
        no_start=arguments.flag("no_start"),
        wishes=making_wishes(arguments, project).replace(
            always_recreate_deps=arguments.flag("always_recreate_deps")
        ),
        remove_orphans=compose.removes_orphans(arguments),
        renew_volumes=arguments.flag("renew_anon_volumes"),
        timeout_seconds=arguments.number("timeout"),
        at_once=compose.at_once(arguments),
    )


def making_wishes(arguments: Arguments, project: Project) -> Wishes:
    """What becomes of containers that are there, by the options of MAKING."""
    from pod.compose.plan import Wishes

    return Wishes(
        force_recreate=arguments.flag("force_recreate"),
        no_recreate=arguments.flag("no_recreate"),
        scale=read_scale(arguments.texts("scale"), project),
    )


def read_scale(texts: list[str], project: Project) -> dict[str, int]:
    """SERVICE=N. Raises UsageError, NoSuchService."""
    found = {}
    for text in texts:
        name, _, count = text.partition("=")
        if not count.isdecimal():
            raise UsageError(f"invalid argument '{text}' for '--scale': SERVICE=N is expected")
        service = project.service(name)
        if int(count) > 1 and service.get("container_name"):
            raise UsageError(
                f"service '{name}' has a container_name, which only one container can have"
            )
        found[name] = int(count)
    return found


def image_options(arguments: Arguments) -> ImageOptions:
    """How images come, by the options of MAKING."""
    build = True if arguments.flag("build") else False if arguments.flag("no_build") else None
    return compose.image_options(
        arguments,
        quiet=arguments.flag("quiet_pull"),
        quiet_build=arguments.flag("quiet_build"),
        build=build,
        policy=arguments.text("pull") or "",
    )


SCALE = Option(("--scale",), "list", "Have so many containers of a service", metavar="SERVICE=N")
PULL = Option(
    ("--pull",),
    "text",
    "Pull images before the start",
    metavar="POLICY",
    choices=("always", "missing", "never", "newer", "build"),
)
TIMEOUT = Option(
    ("-t", "--timeout"),
    "number",
    "Seconds that containers have to stop, before they are killed",
    metavar="SECONDS",
    lowest=-1,
)
MAKING = (
    Option(("--build",), "flag", "Build images before the start, also those that are here"),
    Option(("--force-recreate",), "flag", "Recreate containers though nothing has changed"),
    Option(("--no-build",), "flag", "Build no image, even if it is missing"),
    Option(("--no-recreate",), "flag", "Leave containers that are there as they are"),
    PULL,
    Option(("--quiet-build",), "flag", "Show no progress of builds"),
    Option(("--quiet-pull",), "flag", "Show no progress of pulls"),
    Option(("--remove-orphans",), "flag", "Remove containers of services that are not in the files any more"),
    SCALE,
    Option(("-y", "--yes"), "flag", "Ask nothing, which pod never does here"),
    compose.DRY_RUN,
)  # fmt: skip

COMMAND = Command(
    bring_up,
    "[OPTIONS] [SERVICE...]",
    description=(
        "Makes networks, volumes and containers of the services, and starts them in the order of their dependencies, "
        "independent ones side by side. What is there already and as it should be is kept. Without --detach it shows "
        "the output, and stops the services on Ctrl-C; a second Ctrl-C kills them."
    ),
    options=(
        *MAKING,
        Option(("--abort-on-container-exit",), "flag", "Stop all when one container ends"),
        Option(("--abort-on-container-failure",), "flag", "Stop all when one container fails"),
        Option(("--always-recreate-deps",), "flag", "Recreate also what the services depend on"),
        Option(("--attach",), "list", "Show the output of this service only", metavar="SERVICE"),
        Option(("--attach-dependencies",), "flag", "Show also the output of what the services depend on"),
        Option(("-d", "--detach"), "flag", "Leave the containers in the background"),
        Option(("--exit-code-from",), "text", "End with the status of this service when one ends", metavar="SERVICE"),
        Option(("--frozen",), "flag", "Take the images of compose.lock, and ask no registry"),
        Option(("--menu",), "flag", "On a terminal: d detaches, w begins and ends to watch"),
        Option(("--no-attach",), "list", "Do not show the output of this service", metavar="SERVICE"),
        Option(("--no-color",), "flag", "Colour no names"),
        Option(("--no-deps",), "flag", "Leave services alone that others depend on"),
        Option(("--no-log-prefix",), "flag", "Put no names in front of lines"),
        Option(("--no-start",), "flag", "Make the containers, and do not start them"),
        Option(("--quiet-up",), "flag", "Do not tell what is done"),
        Option(("-V", "--renew-anon-volumes"), "flag", "Recreated containers get new anonymous volumes"),
        TIMEOUT,
        Option(("--timestamps",), "flag", "Put the time in front of lines"),
        Option(("--wait",), "flag", "Wait until the services are healthy; implies --detach"),
        Option(("--wait-timeout",), "number", "Seconds to wait at most", metavar="SECONDS", lowest=0),
        Option(("-w", "--watch"), "flag", "Act upon changes of files, as `watch` does"),
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose up -d", "pod compose --dry-run up", "pod compose up --wait --wait-timeout 60 db"),
)  # fmt: skip
