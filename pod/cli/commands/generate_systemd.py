"""`pod generate systemd`: unit files for a container or pod."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def generate_units(arguments: Arguments, engine: Engine) -> None:
    import os

    from pod.cli import replay
    from pod.engine import generate_systemd as generate

    options = generate.UnitOptions(
        new=arguments.flag("new") or arguments.flag("template"),
        by_name=arguments.flag("name"),
        template=arguments.flag("template"),
        header=not arguments.flag("no_header"),
        container_prefix=arguments.text("container_prefix") or "",
        pod_prefix=arguments.text("pod_prefix") or "",
        separator=arguments.text("separator") or "",
        restart_policy=arguments.text("restart_policy") or "",
        restart_seconds=arguments.number("restart_sec"),
        start_timeout=arguments.number("start_timeout"),
        stop_timeout=arguments.number("stop_timeout"),
        environment=tuple(arguments.texts("env")),
        after=tuple(arguments.texts("after")),
        requires=tuple(arguments.texts("requires")),
        wants=tuple(arguments.texts("wants")),
    )
    units = generate.units(engine, arguments.words[0], options, replay.take_apart)
    written = generate.write(units, os.getcwd()) if arguments.flag("files") else None
    if arguments.text("format"):
        import json

        shown = written or {unit.name.removesuffix(".service"): unit.text for unit in units}
        print(json.dumps(shown, indent=1, sort_keys=True))
    elif written is None:
        print("\n".join(unit.text for unit in units), end="")
    else:
        for path in written.values():
            print(path)


def _text(flag: str, help_text: str, default: str, metavar: str) -> Option:
    return Option((flag,), "text", help_text, metavar=metavar, default=default)


def _units(flag: str, help_text: str) -> Option:
    return Option((flag,), "list", help_text, metavar="UNIT")


COMMAND = Command(
    generate_units,
    "[OPTIONS] CONTAINER|POD",
    description=(
        "Prints a unit file of systemd that starts, watches and stops a container; for a pod, one for it and one for "
        "each of its containers. New services are better written as quadlets, see **pod-quadlet**(5)."
    ),
    options=(
        _units("--after", "Start after these units"),
        _text(
            "--container-prefix",
            "What names of units of containers begin with",
            "container",
            "TEXT",
        ),
        Option(("-e", "--env"), "list", "Set a variable in the units", metavar="NAME=VALUE"),
        Option(("-f", "--files"), "flag", "Write files into this directory and print their paths"),
        Option(
            ("--format",),
            "text",
            "Print names and units as json",
            metavar="FORMAT",
            choices=("json",),
        ),
        Option(("-n", "--name"), "flag", "Call units and containers by name, not by id"),
        Option(
            ("--new",), "flag", "Make the container anew at each start, and remove it at the end"
        ),
        Option(("--no-header",), "flag", "Write no comment with version and time"),
        _text("--pod-prefix", "What names of units of pods begin with", "pod", "TEXT"),
        _units("--requires", "Need these units"),
        Option(
            ("--restart-policy",),
            "text",
            "When systemd starts it again: no, on-success, on-failure, on-abnormal, on-watchdog, on-abort, always",
            metavar="POLICY",
        ),
        Option(("--restart-sec",), "number", "Seconds before it does", metavar="SECONDS", lowest=0),
        _text("--separator", "What stands between that and the name or id", "-", "TEXT"),
        Option(
            ("--start-timeout",),
            "number",
            "Seconds that a start may take",
            metavar="SECONDS",
            lowest=0,
        ),
        Option(
            ("--stop-timeout",),
            "number",
            "Seconds until a container that does not stop is killed",
            metavar="SECONDS",
            lowest=0,
            aliases=("-t", "--time"),
        ),
        Option(
            ("--template",),
            "flag",
            "Make a template with %i in the container's name; implies --new",
        ),
        _units("--wants", "Start these units, too"),
    ),
    minimum=1,
    maximum=1,
    completes=("container",),
    examples=(
        "pod generate systemd --new --name --files web",
        "pod generate systemd --restart-policy always --restart-sec 5 web",
    ),
)
