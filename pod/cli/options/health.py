"""Options of `run`, `create` and `update` about the health of the container."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.spec.health import HealthChanges

_TEXTS = (
    ("health-cmd", "COMMAND", "Check the health of the container with this command"),
    ("health-interval", "DURATION", "Time between two checks; disable for none by itself"),
    ("health-log-destination", "WHERE", "Directory for the log of checks, or local"),
    ("health-max-log-count", "N", "Keep that many checks in the log; 0 for all"),
    ("health-max-log-size", "N", "Keep that many characters of each output; 0 for all"),
    (
        "health-on-failure",
        "ACTION",
        "Do this when it becomes unhealthy: none, kill, restart, stop",
    ),
    ("health-retries", "N", "Failures in a row that make it unhealthy"),
    ("health-start-interval", "DURATION", "Time between two checks in the start period"),
    ("health-start-period", "DURATION", "Time after the start in which failures do not count"),
    ("health-startup-cmd", "COMMAND", "Check with this command until it succeeds"),
    ("health-startup-interval", "DURATION", "Time between two startup checks"),
    ("health-startup-retries", "N", "Failed startup checks until a restart; 0 for never"),
    ("health-startup-success", "N", "Startup checks that have to succeed"),
    ("health-startup-timeout", "DURATION", "Time that a startup check may take"),
    ("health-timeout", "DURATION", "Time that a check may take"),
)
OPTIONS = (
    *(
        Option((f"--{name}",), "text", text, metavar=metavar, empty_is_none=metavar != "COMMAND")
        for name, metavar, text in _TEXTS
    ),
    Option(("--no-healthcheck",), "flag", "Do not check, whatever the image says"),
)


def read_health(arguments: Arguments) -> HealthChanges | None:
    """What the options say; None when none of them was given."""
    given = [option.flags[0] for option in OPTIONS if arguments.given(option.name)]
    if not given:
        return None
    from pod.spec.health import HealthChanges

    if arguments.flag("no_healthcheck"):
        for flag in given:
            if flag != "--no-healthcheck":
                raise UsageError(f"--no-healthcheck excludes {flag}")
    return HealthChanges(
        _changes(arguments), _startup_changes(arguments), arguments.flag("no_healthcheck")
    )


def _changes(arguments: Arguments) -> dict[str, Any]:
    from pod.base.units import parse_duration_ns
    from pod.spec import health_option as grammar

    return _read(
        arguments,
        ("health_cmd", "test", grammar.parse_command),
        ("health_interval", "interval_ns", grammar.parse_interval),
        ("health_timeout", "timeout_ns", grammar.parse_timeout),
        (
            "health_retries",
            "retries",
            lambda text, option: grammar.parse_count(text, option, lowest=1),
        ),
        ("health_start_period", "start_period_ns", parse_duration_ns),
        ("health_start_interval", "start_interval_ns", grammar.parse_timeout),
        ("health_on_failure", "on_failure", grammar.parse_on_failure),
        ("health_log_destination", "log_destination", grammar.parse_destination),
        ("health_max_log_count", "max_log_count", grammar.parse_count),
        ("health_max_log_size", "max_log_size", grammar.parse_count),
    )


def _startup_changes(arguments: Arguments) -> dict[str, Any]:
    from pod.spec import health_option as grammar

    return _read(
        arguments,
        ("health_startup_cmd", "test", grammar.parse_command),
        ("health_startup_interval", "interval_ns", grammar.parse_interval),
        ("health_startup_timeout", "timeout_ns", grammar.parse_timeout),
        ("health_startup_retries", "retries", grammar.parse_count),
        ("health_startup_success", "successes", grammar.parse_count),
    )


def _read(arguments: Arguments, *rows: tuple[str, str, Any]) -> dict[str, Any]:
    """The fields whose options were given, each by its grammar."""
    return {
        field: parse(arguments.text(name) or "", f"--{name.replace('_', '-')}")
        for name, field, parse in rows
        if arguments.given(name)
    }
