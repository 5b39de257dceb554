"""`pod start`: start containers that exist."""

from __future__ import annotations

from pod.base.errors import PodError, UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import attaching, select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def start_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import for_each
    from pod.engine.start import start
    from pod.state import containers

    detach_keys = b""
    if arguments.given("detach_keys") or arguments.flag("attach") or arguments.flag("interactive"):
        detach_keys = attaching.read_detach_keys(arguments, engine)
    elif arguments.given("sig_proxy") and arguments.flag("sig_proxy"):
        raise UsageError(
            "--sig-proxy needs --attach: signals are passed on by a command that stays"
        )
    if arguments.flag("all") and (arguments.flag("attach") or arguments.flag("interactive")):
        raise UsageError("--all and --attach exclude each other")
    notify = _notify(arguments)
    names = select.chosen(arguments, engine, default=lambda it: not it.is_running)
    if arguments.flag("attach") or arguments.flag("interactive"):
        if len(names) != 1:
            raise UsageError("only one container can be started with --attach or --interactive")
        return _start_attached(arguments, engine, names[0], detach_keys)

    def do(name: str) -> str:
        channel = start(engine, containers.find(engine.database, name), notify=notify)
        if channel is not None:
            channel.close()
        else:
            _check_unit(name)
        return name

    return for_each(names, do)


def _notify(arguments: Arguments) -> str:
    """Who tells systemd that the service is ready, when that is said here."""
    if not arguments.given("sdnotify"):
        return ""
    if arguments.flag("attach") or arguments.flag("interactive"):
        raise UsageError(
            "--sdnotify is for containers that go on alone, without --attach and --interactive",
            hint="leave one of them out",
        )
    return arguments.text("sdnotify") or ""


def _check_unit(name: str) -> None:
    """A unit of systemd waits in vain for a main process of its own where the container runs elsewhere."""
    from pod.engine import service

    if unit := service.unit():
        raise PodError(
            f"container '{name}' runs already, and not in unit '{unit}'", hint=f"pod stop {name}"
        )


def _start_attached(arguments: Arguments, engine: Engine, name: str, detach_keys: bytes) -> int:
    from pod.engine.attach import start_attached
    from pod.state import containers

    container = containers.find(engine.database, name)
    given = arguments.given("sig_proxy")
    if given and arguments.flag("sig_proxy") and container.config.terminal:
        raise UsageError(
            f"--sig-proxy is for containers without a terminal, and '{container.name}' has one"
        )
    return start_attached(
        engine,
        container,
        detach_keys=detach_keys,
        read_stdin=arguments.flag("interactive"),
        sig_proxy=arguments.flag("sig_proxy"),
    )


COMMAND = Command(
    start_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description=(
        "Starts containers that were created or have ended. One that runs already is fine. With --attach the command "
        "stays with the container, and its exit status becomes that of the command."
    ),
    options=(
        Option(("--all",), "flag", "Start all containers that do not run"),
        Option(("-a", "--attach"), "flag", "Show the output, until the container ends"),
        attaching.DETACH_KEYS,
        select.FILTER,
        Option(("-i", "--interactive"), "flag", "Pass standard input on, too; implies --attach"),
        Option(("--checkpoint",), "text", refused="the kernel allows checkpoints to root only"),
        Option(("--checkpoint-dir",), "text", refused="the kernel allows checkpoints to root only"),
        select.LATEST,
        Option(
            ("--sdnotify",),
            "text",
            "Who tells systemd that the service is ready, in place of what the container was made with",
            metavar="WHO",
            choices=("conmon", "container", "ignore"),
        ),
        attaching.SIG_PROXY,
    ),
    maximum=None,
    completes=("stopped",),
    examples=("pod start web", "pod start --attach --interactive shell"),
)
