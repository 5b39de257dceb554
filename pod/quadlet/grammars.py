"""Values of keys, by the grammars of the options that they become: what `pod` would refuse is said with file and line.

Values that systemd changes before `pod` sees them are not looked at, and what they name need not be there yet: neither
files nor images, networks and secrets are looked for. Modules of `pod.spec` are imported for keys that are there.
"""

from __future__ import annotations

import sys

from pod.base.errors import InvalidValue, PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.quadlet.reader import Entry
    from pod.quadlet.service import Quadlet

# How a grammar is called: with the value, with the value and the option, or with a list of values.
_PLAIN, _NAMED, _LISTED = "plain", "named", "listed"
_HEALTH, _HOSTS, _UNITS = "pod.spec.health_option", "pod.spec.hosts", "pod.base.units"
_GRAMMARS = {
    "--add-host": (_HOSTS, "parse_added_host", _PLAIN),
    "--annotation": ("pod.spec.environment", "parse_annotations", _LISTED),
    "--cgroups": ("pod.spec.resource_options", "parse_cgroups", _PLAIN),
    "--device": ("pod.spec.devices", "parse_device", _PLAIN),
    "--dns": (_HOSTS, "parse_dns", _PLAIN),
    "--dns-search": (_HOSTS, "parse_dns_search", _PLAIN),
    "--exit-policy": ("pod.spec.pods", "parse_exit_policy", _PLAIN),
    "--expose": ("pod.spec.ports", "parse_expose", _PLAIN),
    "--group-add": ("pod.spec.users", "parse_group_add", _LISTED),
    "--health-cmd": (_HEALTH, "parse_command", _NAMED),
    "--health-interval": (_HEALTH, "parse_interval", _NAMED),
    "--health-max-log-count": (_HEALTH, "parse_count", _NAMED),
    "--health-max-log-size": (_HEALTH, "parse_count", _NAMED),
    "--health-on-failure": (_HEALTH, "parse_on_failure", _NAMED),
    "--health-start-period": (_UNITS, "parse_duration_ns", _NAMED),
    "--health-startup-cmd": (_HEALTH, "parse_command", _NAMED),
    "--health-startup-interval": (_HEALTH, "parse_interval", _NAMED),
    "--health-startup-retries": (_HEALTH, "parse_count", _NAMED),
    "--health-startup-success": (_HEALTH, "parse_count", _NAMED),
    "--health-startup-timeout": (_HEALTH, "parse_timeout", _NAMED),
    "--health-timeout": (_HEALTH, "parse_timeout", _NAMED),
    "--hostname": (_HOSTS, "parse_hostname", _PLAIN),
    "--log-driver": ("pod.spec.log_option", "parse_log_driver", _PLAIN),
    "--mount": ("pod.spec.mount_option", "parse_mount", _PLAIN),
    "--network": ("pod.spec.namespace_option", "parse_network", _PLAIN),
    "--publish": ("pod.spec.ports", "parse_port", _PLAIN),
    "--retry-delay": (_UNITS, "parse_duration_ns", _NAMED),
    "--secret": ("pod.spec.secrets", "parse_secret", _PLAIN),
    "--security-opt": ("pod.spec.security_option", "parse_security_options", _LISTED),
    "--shm-size": ("pod.spec.resource_options", "parse_shm_size", _PLAIN),
    "--stop-signal": ("pod.linux.signals", "parse", _NAMED),
    "--signal": ("pod.linux.signals", "parse", _NAMED),
    "--sysctl": ("pod.spec.kernel_options", "parse_sysctl", _PLAIN),
    "--tmpfs": ("pod.spec.mounts", "parse_tmpfs", _PLAIN),
    "--uidmap": ("pod.spec.userns_option", "parse_id_mapping", _NAMED),
    "--gidmap": ("pod.spec.userns_option", "parse_id_mapping", _NAMED),
    "--ulimit": ("pod.spec.kernel_options", "parse_ulimit", _PLAIN),
    "--user": ("pod.spec.users", "parse_user", _PLAIN),
    "--userns": ("pod.spec.userns_option", "parse_userns", _PLAIN),
    "--volume": ("pod.spec.mounts", "parse_volume", _PLAIN),
}
# Options whose values are lists with commas.
COMMAS = frozenset(
    "--add-host --cap-add --cap-drop --device --dns --dns-search --expose --group-add".split()
)
_LOWEST = {"--retry": 0, "--stop-timeout": -1, "--time": -1}
PULL = ("missing", "always", "newer", "never", "ifnewer", "true", "false")
_KINDS = {"build": {"--secret"}}  # grammars of their own


_taken: set[tuple[str, str]] = (
    set()
)  # options with values that have been looked at; files have the same ones


def has_specifier(value: str) -> bool:
    """Whether systemd makes something else of it (systemd.unit(5), "Specifiers"; systemd.exec(5), variables)."""
    return "%" in value or "$" in value


def check(quadlet: Quadlet, entry: Entry, option: str, value: str | None = None) -> None:
    """Raise QuadletError for a value that the option does not take; without `value`, for that of the entry."""
    text = entry.value if value is None else value
    if (option, text) in _taken:
        return
    if option == "--tag":
        image(entry, text)
    if has_specifier(text) or option in _KINDS.get(quadlet.suffix, ()):
        return
    grammar = _grammar(option)
    if grammar is None:
        return
    values = text.split(",") if option in COMMAS and '"' not in text else [text]
    for one in values:
        said(entry, option, lambda one=one: grammar(one))  # type: ignore[misc]
    _taken.add((option, text))


def said(entry: Entry, option: str, parse: Callable[[], object]) -> None:
    """Call `parse`; what it raises is raised as an error of the entry, which the key names in the option's place."""
    try:
        parse()
    except PodError as error:
        raise entry.error(error.message.removeprefix(f"{option} ")) from error


def name(entry: Entry) -> None:
    """Raise QuadletError unless containers, pods, volumes and networks can have this name."""
    if not can_be_name(entry.value):
        raise entry.error(
            f"'{entry.value}' is no name: letters, digits, '_', '.' and '-', beginning with a letter or digit"
        )


def can_be_name(text: str) -> bool:
    from pod.base.ids import is_name

    return has_specifier(text) or is_name(text)


def image(entry: Entry, value: str) -> None:
    """Raise QuadletError unless it is the name or id of an image, or a place with a transport."""
    from pod.spec.transport import check_image

    if not has_specifier(value):
        said(entry, "image name", lambda: check_image(value))


def log_options(quadlet: Quadlet) -> None:
    """Raise QuadletError for LogOpt= that the driver does not have; where none is named, that no driver has."""
    from pod.spec.log_option import parse_log_driver, parse_log_options
    from pod.spec.logging import DRIVERS

    driver = quadlet.text("LogDriver")
    for entry in quadlet.all("LogOpt"):
        if has_specifier(entry.value + driver):
            continue
        drivers = [parse_log_driver(driver)] if driver else DRIVERS
        for number, one in enumerate(drivers, 1):
            try:
                parse_log_options(one, [entry.value])
                break
            except PodError as error:
                if number == len(drivers):
                    raise entry.error(error.message.removeprefix("--log-opt ")) from error


def _grammar(option: str) -> Callable[[str], object] | None:
    own = _OWN.get(option)
    if own is not None:
        return lambda text: own(option, text)
    found = _GRAMMARS.get(option)
    if found is None:
        return None
    module, function, form = found
    __import__(module)
    parse: Callable[..., Any] = getattr(sys.modules[module], function)
    if form == _LISTED:
        return lambda text: parse([text])
    return (lambda text: parse(text, option)) if form == _NAMED else parse


def _at_least(option: str, text: str) -> None:
    from pod.base.units import parse_integer

    parse_integer(text, option, _LOWEST[option], 2**31 - 1)


def _capability(option: str, text: str) -> None:
    from pod.spec.security_option import parse_capabilities

    parse_capabilities([text], option)


def _ipv4(option: str, text: str) -> None:
    from pod.spec.ports import check_ipv4

    check_ipv4(option, text, text)


def _ipv6(option: str, text: str) -> None:
    from pod.spec.ports import check_ipv6

    check_ipv6(option, text, text)


def _memory(_: str, text: str) -> None:
    from pod.spec.resource_options import parse_resources

    parse_resources(memory=text)


def _pids(_: str, text: str) -> None:
    from pod.spec.resource_options import parse_resources

    parse_resources(pids_limit=text)


def _retries(option: str, text: str) -> None:
    from pod.spec.health_option import parse_count

    parse_count(text, option, lowest=1)


def _alias(option: str, text: str) -> None:
    from pod.spec.namespace_option import check_place

    check_place(option, "alias", text)


def _interface(option: str, text: str) -> None:
    from pod.spec.namespace_option import check_interface

    check_interface(option, text, text)


def _pull(option: str, text: str) -> None:
    if text not in PULL:
        raise InvalidValue(option, text, "missing, always, newer or never")


def _absolute(option: str, text: str) -> None:
    if not text.startswith("/"):
        raise InvalidValue(option, text, "an absolute path, inside the container")


_OWN = {
    "--cap-add": _capability,
    "--cap-drop": _capability,
    "--health-retries": _retries,
    "--interface-name": _interface,
    "--ip": _ipv4,
    "--ip6": _ipv6,
    "--memory": _memory,
    "--network-alias": _alias,
    "--pids-limit": _pids,
    "--policy": _pull,
    "--pull": _pull,
    "--workdir": _absolute,
    **dict.fromkeys(_LOWEST, _at_least),
}
