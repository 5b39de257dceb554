"""`pod run`: create a container and run it, in front or in the background."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import attaching, container, image, lifetime, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def run_container(arguments: Arguments, engine: Engine) -> int:
    from pod.engine.run import RunOptions, run

    config = container.read_container(arguments, engine)
    detach = arguments.flag("detach")
    if detach and arguments.given("attach"):
        raise UsageError("--detach excludes --attach")
    if arguments.flag("rmi"):
        config = config.replace(auto_remove=True, remove_image=True)
        lifetime.check_lifetime(arguments, config)
    stays = not detach or arguments.given("detach_keys")
    options = RunOptions(
        name=arguments.text("name") or "",
        replaces=arguments.flag("replace"),
        detach=detach,
        detach_keys=attaching.read_detach_keys(arguments, engine) if stays else b"",
        sig_proxy=arguments.flag("sig_proxy"),
        keep_fds=process.read_descriptors(arguments),
    )
    if not detach:
        attaching.warn_without_terminal(is_wanted=config.terminal and config.interactive)
    return run(engine, config, options, image.pull_options(arguments, engine.settings), print)


COMMAND = Command(
    run_container,
    "[OPTIONS] IMAGE [COMMAND [ARG...]]",
    description=(
        "Makes a container from an image, which is pulled when it is not here, starts it, and stays with it until it "
        "ends; its exit status becomes that of the command. 125 is an error of pod itself, 126 a command that cannot "
        "be executed, 127 one that does not exist."
    ),
    options=(
        *container.OPTIONS,
        Option(
            ("-d", "--detach"), "flag", "Leave the container in the background and print its id"
        ),
        attaching.DETACH_KEYS,
        *process.DESCRIPTORS,
        Option(
            ("--rmi",), "flag", "Remove the image, too, when nothing else uses it; implies --rm"
        ),
        attaching.SIG_PROXY,
    ),
    interspersed=False,
    minimum=1,
    maximum=None,
    completes=("image",),
    examples=(
        "pod run --rm -it debian",
        "pod run -d --name web -p 8080:80 nginx",
        "pod run --rm -v .:/work -w /work debian ls -l",
    ),
)
