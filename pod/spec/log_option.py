"""The grammars of --log-driver and --log-opt.

Source: podman-run(1), those options; docker's "Configure logging drivers".
"""

from __future__ import annotations

import os

from pod.base.errors import InvalidValue, Unsupported
from pod.base.units import parse_integer, parse_size
from pod.spec.logging import DEFAULT_DRIVER, DRIVERS, LogConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_FILE_DRIVERS = frozenset(("k8s-file", "json-file"))
_ALIASES = {"": DEFAULT_DRIVER, "local": "k8s-file", "passthrough-tty": "passthrough"}
_REMOTE = frozenset("syslog gelf fluentd awslogs splunk etwlogs gcplogs logentries".split())
_BY_DRIVER = {
    "path": _FILE_DRIVERS,
    "max-size": _FILE_DRIVERS,
    "max-file": _FILE_DRIVERS,
    "tag": _FILE_DRIVERS | {"journald"},
}
_REFUSED = {
    "compress": "old log files are kept as they are",
    "labels": "log entries have no labels",
    "labels-regex": "log entries have no labels",
    "env": "log entries have no variables",
    "env-regex": "log entries have no variables",
    "max-buffer-size": "output is written as it comes",
}


def parse_log_driver(text: str) -> str:
    """`--log-driver`: one of DRIVERS; "" is the default, and docker's 'local' a file as well.

    What podman refuses without "-tty", a terminal as the container's stream, is never refused here.
    """
    driver = _ALIASES.get(text, text)
    if driver in _REMOTE:
        raise Unsupported(
            f"--log-driver {text}",
            "pod sends logs to no server",
            hint="use journald and forward from there",
        )
    if driver not in DRIVERS:
        raise InvalidValue("--log-driver", text, f"one of {', '.join(DRIVERS)}")
    return driver


def parse_log_options(
    driver: str, texts: Iterable[str], defaults: LogConfig | None = None
) -> LogConfig:
    """All `--log-opt KEY=VALUE` values for the driver, which is as parse_log_driver gives it.

    `defaults` are limits and tag of the configuration. A size counts in thousands ('10mb'), as docker has it, unless it
    is spelt with an i ('10MiB'); -1 is no limit.
    """
    option = "--log-opt"
    config = (defaults or LogConfig()).replace(driver=driver)
    for text in texts:
        key, equals, value = text.partition("=")
        if key in _REFUSED:
            raise Unsupported(f"{option} {key}", _REFUSED[key])
        if key == "mode" and value == "blocking":
            continue  # docker's default, and the only way here: nothing is lost
        if key == "mode":
            raise Unsupported(f"{option} {text}", "output is never thrown away")
        if key not in _BY_DRIVER or not equals or not value:
            raise InvalidValue(option, text, f"KEY=VALUE, the keys being {', '.join(_BY_DRIVER)}")
        if driver not in _BY_DRIVER[key]:
            raise InvalidValue(option, text, f"the driver {driver} has no '{key}'")
        config = _with_option(config, text, key, value)
    return config


def _with_option(config: LogConfig, text: str, key: str, value: str) -> LogConfig:
    what = f"--log-opt {key}"
    if key == "path":
        if not value.startswith("/") or "\0" in value or value.endswith("/"):
            raise InvalidValue("--log-opt", text, "the absolute path of a file")
        return config.replace(path=os.path.normpath(value))
    if key == "max-size":
        return config.replace(max_size=0 if value == "-1" else parse_size(value, what, base=1000))
    if key == "max-file":
        return config.replace(max_files=parse_integer(value, what, 1, 1000))
    return config.replace(tag=value)
