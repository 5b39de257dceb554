"""Health checks: what is configured, and what the result of one check makes of the health of a container. Pure.

The grammar of the options is in `health_option.py`. Sources: podman-run(1), --health-cmd and the options below it;
podman-healthcheck(1); the HEALTHCHECK instruction of Dockerfiles, which only images in docker's format carry.
"""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, ClassVar

_SECOND = 1_000_000_000
DEFAULT_INTERVAL_NS = DEFAULT_TIMEOUT_NS = 30 * _SECOND
DEFAULT_RETRIES = 3
DEFAULT_LOG_COUNT, DEFAULT_LOG_SIZE = 5, 500
MOST_LOG_BYTES = 1 << 20  # "no limit" of --health-max-log-size

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"
STATUSES = (STARTING, HEALTHY, UNHEALTHY)
NONE, EXECUTED, IN_SHELL = "NONE", "CMD", "CMD-SHELL"

NOTHING, ON_FAILURE, RESTART = 0, 1, 2
"""What `after` wants to be done: nothing, what --health-on-failure says, or a restart after the startup checks."""


class StartupCheck(Record):
    """The check that comes before the others, until it has succeeded `successes` times (0 counts as 1).

    After `retries` failures in a row the container is restarted; 0 is never.
    """

    test: tuple[str, ...]
    interval_ns: int = DEFAULT_INTERVAL_NS  # 0: never by itself
    timeout_ns: int = DEFAULT_TIMEOUT_NS
    retries: int = 0
    successes: int = 0


class HealthConfig(Record):
    """How the health of a container is checked.

    test        as in docker's images: ("CMD", word...), ("CMD-SHELL", script), ("NONE",) for no check whatever the
                image says, () where nothing was said
    the numbers None where nothing was said, which the image's and then podman's values fill
    """

    test: tuple[str, ...] = ()
    interval_ns: int | None = None  # 0: never by itself
    timeout_ns: int | None = None
    retries: int | None = None
    start_period_ns: int | None = None
    start_interval_ns: int | None = None  # during the start period; 0: the interval
    startup: StartupCheck | None = None
    on_failure: str = "none"  # "none", "kill", "restart", "stop"
    log_destination: str = "local"  # "local", "events_logger", or a directory
    max_log_count: int = DEFAULT_LOG_COUNT  # 0: no limit
    max_log_size: int = DEFAULT_LOG_SIZE  # characters; 0: no limit

    nested: ClassVar = {"startup": StartupCheck}

    @property
    def is_active(self) -> bool:
        """Whether there is something to check."""
        return bool(self.test) and self.test[0] != NONE


class HealthChanges(Record):
    """What options say: fields of HealthConfig and of StartupCheck, or that nothing is checked at all."""

    fields: Mapping[str, Any] = {}
    startup: Mapping[str, Any] = {}
    disables: bool = False

    def on(self, base: HealthConfig | None) -> HealthConfig:
        """What they make of `base`. Raises UsageError for a startup check without a command."""
        if self.disables:
            return HealthConfig(test=(NONE,))
        config = (base or HealthConfig()).replace(**self.fields)
        if not self.startup:
            return config
        if self.startup.get("test") == (NONE,):
            return config.replace(startup=None)
        if config.startup is not None:
            return config.replace(startup=config.startup.replace(**self.startup))
        if "test" not in self.startup:
            raise UsageError("a startup check needs its command: --health-startup-cmd")
        return config.replace(startup=StartupCheck(**self.startup))


def complete(asked: HealthConfig | None, image: Mapping[str, Any] | None) -> HealthConfig | None:
    """What was asked for over the image's HEALTHCHECK, with podman's defaults; None for no check at all.

    Raises UsageError for what should follow from checks when there are none.
    """
    config = asked or HealthConfig()
    if not config.test and image:
        config = config.replace(test=tuple(image.get("Test") or ()))
    if not config.is_active:
        for flag, is_given in (
            (f"--health-on-failure={config.on_failure}", config.on_failure != "none"),
            ("--health-startup-cmd", config.startup is not None),
        ):
            if is_given:
                raise UsageError(f"{flag} needs a health check: give --health-cmd")
        return config if config.test else None
    of_image = image or {}

    def chosen(value: int | None, name: str, default: int) -> int:
        return value if value is not None else int(of_image.get(name) or default)

    return config.replace(
        interval_ns=chosen(config.interval_ns, "Interval", DEFAULT_INTERVAL_NS),
        timeout_ns=chosen(config.timeout_ns, "Timeout", DEFAULT_TIMEOUT_NS),
        retries=chosen(config.retries, "Retries", DEFAULT_RETRIES),
        start_period_ns=chosen(config.start_period_ns, "StartPeriod", 0),
        start_interval_ns=chosen(config.start_interval_ns, "StartInterval", 0),
    )


def arguments(test: tuple[str, ...]) -> tuple[str, ...]:
    """What is executed."""
    if test[0] == IN_SHELL:
        return ("/bin/sh", "-c", " ".join(test[1:]))
    return test[1:] if test[0] == EXECUTED else test


def fresh(log: list[Any], *, pid_started: int, now_ns: int) -> dict[str, Any]:
    """The health of a container that starts; the `log` of earlier runs stays.

    `pid_started` says of which process 1 this is; `now_ns` is monotonic, and with it all that is measured by it.
    """
    return {
        "status": STARTING,
        "failing_streak": 0,
        "log": log,
        "pid_started": pid_started,
        "started_ns": now_ns,
        "startup_done": False,
        "startup_successes": 0,
        "startup_failures": 0,
    }


def is_startup(config: HealthConfig, health: Mapping[str, Any]) -> bool:
    """Whether the startup check is the one that is due."""
    return config.startup is not None and not health["startup_done"]


def after(
    config: HealthConfig, health: dict[str, Any], entry: dict[str, Any], *, now_ns: int
) -> tuple[dict[str, Any], int]:
    """The health after a check that began at `now_ns` (monotonic) and gave `entry`, and what is to be done.

    `entry` is an entry of the log: Start, End, ExitCode, Output.
    """
    entries = [*health["log"], entry]
    if config.max_log_count:
        entries = entries[-config.max_log_count :]
    health = {**health, "log": entries}
    failed = entry["ExitCode"] != 0
    if is_startup(config, health):
        return _after_startup(config, health, failed=failed)
    if not failed:
        return {**health, "status": HEALTHY, "failing_streak": 0}, NOTHING
    if now_ns - health["started_ns"] < (config.start_period_ns or 0):
        return health, NOTHING
    health["failing_streak"] += 1
    if health["failing_streak"] >= (config.retries or 1):
        return {**health, "status": UNHEALTHY}, ON_FAILURE
    return health, NOTHING


def _after_startup(
    config: HealthConfig, health: dict[str, Any], *, failed: bool
) -> tuple[dict[str, Any], int]:
    assert config.startup is not None
    if not failed:
        successes = health["startup_successes"] + 1
        done = successes >= config.startup.successes
        return {
            **health,
            "startup_successes": successes,
            "startup_failures": 0,
            "startup_done": done,
        }, NOTHING
    failures = health["startup_failures"] + 1
    health = {**health, "startup_successes": 0, "startup_failures": failures}
    return health, RESTART if 0 < config.startup.retries <= failures else NOTHING


def next_check_ns(
    settings: Mapping[str, Any], health: Mapping[str, Any], *, now_ns: int
) -> int | None:
    """The time until the next check; None when none follows by itself. `settings` are `HealthConfig.to_json()`."""
    startup = settings.get("startup")
    if startup is not None and not health["startup_done"]:
        interval = startup.get("interval_ns", DEFAULT_INTERVAL_NS)
    else:
        interval = settings.get("interval_ns", DEFAULT_INTERVAL_NS)
        often = settings.get("start_interval_ns", 0)
        begins = now_ns - health["started_ns"] < settings.get("start_period_ns", 0)
        if often and begins and health["status"] == STARTING and interval:
            interval = often
    return interval or None
