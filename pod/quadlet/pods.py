""".pod files: a service that makes a pod, starts it, and starts the services of its containers."""

from __future__ import annotations

from pod.quadlet import grammars, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.quadlet.service import Quadlet, Service

_STOP_SECONDS = "10"


def convert(quadlet: Quadlet, service: Service) -> None:
    name = quadlet.resource
    create = ["pod", "create", "--infra-conmon-pidfile=%t/%N.pid", "--replace"]
    for key, option in (("ExitPolicy", "--exit-policy"), ("StopTimeout", "--time")):
        if (entry := quadlet.last(key)) is not None:
            grammars.check(quadlet, entry, option)
    create.append(f"--exit-policy={quadlet.text('ExitPolicy', 'stop')}")
    create += options.plain(quadlet)
    create += options.user_namespace(quadlet)
    create += options.networks(quadlet, service)
    create += options.volumes(quadlet, service)
    create += [f"--infra-name={name}-infra", f"--name={name}", *quadlet.words("PodmanArgs")]
    seconds = quadlet.text("StopTimeout", _STOP_SECONDS)
    service.add("Service", "Environment", "PODMAN_SYSTEMD_UNIT=%n")
    service.add("Service", "Delegate", "yes")
    service.default("KillMode", "mixed")
    service.default("SyslogIdentifier", "%N")
    service.default("Restart", "on-failure")
    service.default("Type", "forking")
    service.add("Service", "PIDFile", "%t/%N.pid")
    service.run("ExecStartPre", create)
    service.run("ExecStart", ["pod", "start", name])
    service.run("ExecStop", ["pod", "stop", "--ignore", f"--time={seconds}", name])
    service.run("ExecStopPost", ["pod", "rm", "--ignore", "--force", name])


def add_members(quadlet: Quadlet, service: Service, written: set[str]) -> None:
    """Once all containers have been read: those among the services `written` start after the pod, and with it."""
    for unit in [it for it in quadlet.started if it in written]:
        service.add("Unit", "Wants", unit)
        service.add("Unit", "Before", unit)
