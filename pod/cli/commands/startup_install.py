"""`pod startup install`: have containers start again after a reboot."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def install_startup(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import startup

    print(startup.install(engine, arguments.text("method") or ""))


COMMAND = Command(
    install_startup,
    description=(
        "Has containers with --restart=always and unless-stopped start again after a reboot, but for unless-stopped "
        "those that you have stopped. Sets up what this machine has for it: a unit of your systemd, a line of your "
        "crontab, or an autostart entry of the desktop; and says which."
    ),
    options=(
        Option(
            ("--method",),
            "text",
            "Set up this one: systemd, cron or autostart",
            metavar="METHOD",
            choices=("systemd", "cron", "autostart"),
        ),
    ),
    examples=("pod startup install", "pod startup install --method autostart"),
)
