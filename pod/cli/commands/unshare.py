"""`pod unshare`: run a command as root of your user namespace."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def run_unshared(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import unshare

    unshare.execute(engine, arguments.words, in_networks=arguments.flag("rootless_netns"))


COMMAND = Command(
    run_unshared,
    "[OPTIONS] [COMMAND [ARG...]]",
    description=(
        "Runs a command, or your shell, where you are root and the ids of your containers' files are yours: to look "
        "at volumes, or to remove what a container has left in a directory of yours. Mounts made there are seen "
        "only there. The exit status is that of the command; 126 when it cannot be executed, 127 when there is "
        "none."
    ),
    options=(
        Option(
            ("--rootless-netns",),
            "flag",
            "Be where the bridges of your networks are, too, which reach containers by their addresses",
        ),
    ),
    interspersed=False,
    maximum=None,
    examples=(
        "pod unshare cat /proc/self/uid_map",
        "pod unshare chown -R 0:0 ~/data",
        "pod unshare ls -l ~/.local/share/pod/volumes/data/_data",
        "pod unshare --rootless-netns curl http://10.88.0.2/",
    ),
)
