"""Probes of containers as health checks: the liveness probe is the check, the startup probe the one before it."""

from __future__ import annotations

import shlex

from pod.spec.health import HealthConfig, StartupCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.kube.fields import Fields

_SECOND = 1_000_000_000
# Kubernetes' own values (API reference, Probe).
_PERIOD, _TIMEOUT, _FAILURES = 10, 1, 3


class _Probe:
    """What the probes have in common; times in seconds."""

    def __init__(self, fields: Fields, ports: dict[str, int]) -> None:
        self.test = _test(fields, ports)
        self.delay = fields.number("initialDelaySeconds", 0) or 0
        self.period = fields.number("periodSeconds", _PERIOD) or _PERIOD
        self.timeout = fields.number("timeoutSeconds", _TIMEOUT) or _TIMEOUT
        self.failures = fields.number("failureThreshold", _FAILURES) or _FAILURES
        self.successes = fields.number("successThreshold", 1) or 1
        fields.ignore("the container stops as it always does", "terminationGracePeriodSeconds")
        fields.end()
        for name in ("delay", "period", "timeout", "failures", "successes"):
            if getattr(self, name) < 0:
                fields.wrong(f"'{fields.path}' has a number below 0")


def health(fields: Fields, ports: dict[str, int], *, restarts: bool) -> HealthConfig | None:
    """The health check of a container. None where it has neither probe.

    `ports` are the container's by name; an unhealthy container is restarted where its pod restarts at all.
    """
    fields.ignore("there is no service that would wait for it; use livenessProbe", "readinessProbe")
    live = _Probe(fields.table("livenessProbe"), ports) if fields.has("livenessProbe") else None
    first = _Probe(fields.table("startupProbe"), ports) if fields.has("startupProbe") else None
    if live is None and first is None:
        return None
    check = live or first
    assert check is not None
    return HealthConfig(
        test=check.test,
        interval_ns=check.period * _SECOND if live else 0,
        timeout_ns=check.timeout * _SECOND,
        retries=check.failures,
        start_period_ns=check.delay * _SECOND,
        startup=None if first is None else _startup(first),
        on_failure="restart" if restarts else "none",
    )


def _startup(probe: _Probe) -> StartupCheck:
    return StartupCheck(
        test=probe.test,
        interval_ns=probe.period * _SECOND,
        timeout_ns=probe.timeout * _SECOND,
        retries=probe.failures,
        successes=probe.successes,
    )


def _test(fields: Fields, ports: dict[str, int]) -> tuple[str, ...]:
    kinds = [key for key in ("exec", "httpGet", "tcpSocket", "grpc") if fields.has(key)]
    if len(kinds) != 1:
        fields.wrong(f"'{fields.path}' needs one of exec, httpGet, tcpSocket")
    fields.refuse("containers have no program for it", "grpc")
    action = fields.table(kinds[0])
    if kinds[0] == "exec":
        words = action.texts("command")
        if not words:
            action.wrong(f"'{action.path}.command' is empty")
        is_shell = words[:2] == ("/bin/sh", "-c") and len(words) == 3
        test: tuple[str, ...] = ("CMD-SHELL", words[2]) if is_shell else ("CMD", *words)
    elif kinds[0] == "httpGet":
        test = ("CMD-SHELL", _fetch(action, ports))
    else:
        host, port = action.text("host", "localhost"), _port(action, ports)
        test = ("CMD-SHELL", f"nc -z {shlex.quote(host)} {port}")
    action.end()
    return test


def _fetch(action: Fields, ports: dict[str, int]) -> str:
    """By the program that the image has, since the check runs in the container."""
    scheme = action.choice("scheme", ("HTTP", "HTTPS"), "HTTP").lower()
    path = action.text("path", "/")
    host = action.text("host", "localhost")
    url = shlex.quote(f"{scheme}://{host}:{_port(action, ports)}/{path.removeprefix('/')}")
    curl, wget = "curl -fsSk -o /dev/null", "wget -q -O /dev/null"
    for header in action.tables("httpHeaders"):
        text = shlex.quote(f"{header.needed('name')}: {header.text('value')}")
        header.end()
        curl, wget = f"{curl} -H {text}", f"{wget} --header {text}"
    return f"if command -v curl >/dev/null; then {curl} {url}; else {wget} {url}; fi"


def _port(action: Fields, ports: dict[str, int]) -> int:
    text = action.needed("port")
    if text in ports:
        return ports[text]
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        action.wrong(
            f"'{action.path}.port' is '{text}', which is no port and no name of one", "port"
        )
    return int(text)
