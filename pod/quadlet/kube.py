""".kube files: a service that plays Kubernetes documents and waits for the end of their pods."""

from __future__ import annotations

from pod.quadlet import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.quadlet.service import Quadlet, Service

_INTERRUPTED = "143"  # what `pod kube play --wait` ends with when the service is stopped


def convert(quadlet: Quadlet, service: Service) -> None:
    files = [quadlet.absolute(entry.value) for entry in quadlet.all("Yaml")]
    if not files:
        raise quadlet.error("needs Yaml=, the file with the documents")
    play = ["kube", "play", "--replace", "--wait"]
    if propagation := quadlet.last("ExitCodePropagation"):
        if propagation.value not in {"all", "any", "none"}:
            raise propagation.error(
                f"ExitCodePropagation is '{propagation.value}'; it can be all, any or none"
            )
        play.append(f"--service-exit-code-propagation={propagation.value}")
    else:
        play.append("--service-exit-code-propagation=none")
    for entry in quadlet.all("AutoUpdate"):
        name, slash, policy = entry.value.rpartition("/")
        if policy not in {"registry", "local"} or (slash and not name):
            raise entry.error(
                f"'{entry.value}' is not one of registry, local, NAME/registry and NAME/local"
            )
        play.append(f"--annotation=io.containers.autoupdate{slash}{name}={policy}")
    play += options.plain(quadlet)
    users = options.user_namespace(quadlet)
    if any(not word.startswith("--userns=") for word in users):
        raise quadlet.error("is 'manual', which pods cannot have; it can be auto", "RemapUsers")
    play += users
    play += options.networks(quadlet, service)
    play += quadlet.words("PodmanArgs")
    down = ["kube", "down", *(["--force"] if quadlet.flag("KubeDownForce") else []), *files]
    service.add("Service", "Environment", "PODMAN_SYSTEMD_UNIT=%n")
    service.kill_mode()
    service.default("SyslogIdentifier", "%N")
    if service.kind() == "notify":
        service.default("Type", "notify")
    service.add("Service", "SuccessExitStatus", _INTERRUPTED)
    service.run("ExecStart", [*play, *files])
    service.run("ExecStopPost", down, may_fail=True)
    match quadlet.text("SetWorkingDirectory"):
        case "yaml":
            service.default("WorkingDirectory", files[0].rpartition("/")[0] or "/")
        case "unit":
            service.default("WorkingDirectory", quadlet.file.path.rpartition("/")[0])
        case "":
            pass
        case other:
            raise quadlet.error(f"is '{other}'; it can be yaml or unit", "SetWorkingDirectory")
