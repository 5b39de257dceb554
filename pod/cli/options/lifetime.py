"""Options of `run` and `create` about how the container lives and ends: restarts, stopping, logs, files with ids."""

from __future__ import annotations

import os

from pod.base.errors import UsageError
from pod.cli.declare import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.spec.container import ContainerConfig
    from pod.spec.logging import LogConfig

RESTART = Option(
    ("--restart",),
    "text",
    "Start again after the end: no, always, unless-stopped, on-failure[:RETRIES]",
    metavar="POLICY",
)
OPTIONS = (
    Option(
        ("--cidfile",),
        "text",
        "Write the container's id to a file",
        metavar="FILE",
        completes="file",
        empty_is_none=True,
    ),
    Option(
        ("--conmon-pidfile",),
        "text",
        "Write the process id of the container's monitor to a file",
        metavar="FILE",
        completes="file",
        empty_is_none=True,
    ),
    Option(
        ("--log-driver",),
        "text",
        "Where output goes: k8s-file, json-file, journald, passthrough, none",
        metavar="DRIVER",
    ),
    Option(
        ("--log-opt",),
        "list",
        "Set path=, max-size=, max-file= or tag= of the log",
        metavar="KEY=VALUE",
    ),
    Option(
        ("--pidfile",),
        "text",
        "Write the process id of the container's first process to a file",
        metavar="FILE",
        completes="file",
        empty_is_none=True,
    ),
    Option(("--replace",), "flag", "Remove a container of the same name first"),
    Option(
        ("--requires",),
        "comma",
        "Start these containers first",
        metavar="CONTAINER",
        completes="container",
    ),
    RESTART,
    Option(("--rm",), "flag", "Remove the container when it has ended"),
    Option(
        ("--sdnotify",),
        "text",
        "Who tells systemd that a service is ready: container, conmon, healthy, ignore",
        metavar="WHO",
        empty_is_none=True,
    ),
    Option(
        ("--stop-signal",),
        "text",
        "Signal that asks the container to end",
        metavar="SIGNAL",
        empty_is_none=True,
    ),
    Option(
        ("--stop-timeout",),
        "number",
        "Seconds until a container that does not stop is killed; -1 to wait for ever",
        metavar="SECONDS",
        lowest=-1,
    ),
    Option(
        ("--timeout",),
        "number",
        "Seconds that the container may run; 0 for no limit",
        metavar="SECONDS",
        lowest=0,
    ),
)


def lifetime_changes(arguments: Arguments, base: ContainerConfig) -> dict[str, Any]:
    """Fields of ContainerConfig that the options above set. `base` has what the configuration files say."""
    changes: dict[str, Any] = {}
    if arguments.flag("rm"):
        changes["auto_remove"] = True
    if arguments.given("restart"):
        from pod.spec.restart import parse_restart

        changes["restart"] = parse_restart(arguments.text("restart") or "")
    if arguments.given("log_driver") or arguments.given("log_opt"):
        changes["log"] = read_log(arguments, base.log)
    if arguments.given("stop_signal"):
        from pod.linux.signals import parse

        parse(arguments.text("stop_signal") or "", "--stop-signal")
        changes["stop_signal"] = arguments.text("stop_signal")
    if arguments.given("sdnotify"):
        from pod.spec.service import parse_notify

        changes["notify"] = parse_notify(arguments.text("sdnotify") or "")
    for option, field in (("stop_timeout", "stop_timeout"), ("timeout", "timeout")):
        number = arguments.number(option)
        if number is not None:
            changes[field] = number
    for option, field in (
        ("cidfile", "cid_file"),
        ("pidfile", "pid_file"),
        ("conmon_pidfile", "monitor_pid_file"),
    ):
        path = arguments.text(option)
        if path is not None:
            changes[field] = os.path.abspath(path)
    if arguments.given("requires"):
        changes["requires"] = tuple(arguments.texts("requires"))
    return changes


def read_log(arguments: Arguments, base: LogConfig) -> LogConfig:
    """What --log-driver and --log-opt make of `base`."""
    from pod.spec.log_option import parse_log_driver, parse_log_options

    driver = arguments.text("log_driver")
    return parse_log_options(
        base.driver if driver is None else parse_log_driver(driver),
        arguments.texts("log_opt"),
        base,
    )


def check_lifetime(arguments: Arguments, config: ContainerConfig) -> None:
    """Refuse options that cannot hold together."""
    if config.auto_remove and config.restart.name not in {"no", "on-failure"}:
        raise UsageError(
            f"--rm excludes --restart={config.restart}: a container that is removed cannot start again"
        )
    if arguments.flag("replace") and not arguments.text("name"):
        raise UsageError("--replace needs --name, which says what is replaced")
    if config.log.driver == "passthrough" and config.terminal:
        raise UsageError(f"--tty excludes --log-driver={config.log.driver}")
