""".container files: a service that runs a container, made anew at each start."""

from __future__ import annotations

import os

from pod.quadlet import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.quadlet.service import Quadlet, Service

_AUTO_UPDATE = "io.containers.autoupdate"


def convert(quadlet: Quadlet, service: Service) -> None:
    name = quadlet.resource
    image = _image(quadlet, service)
    service.add("Service", "Environment", "PODMAN_SYSTEMD_UNIT=%n")
    _kill_mode(service)
    service.run("ExecStop", ["rm", "-v", "-f", "-i", name])
    service.run("ExecStopPost", ["rm", "-v", "-f", "-i", name], may_fail=True)
    _reload(quadlet, service, name)
    mode = quadlet.text("CgroupsMode", "split")
    words = ["run", f"--name={name}", "--replace", "--rm", f"--cgroups={mode}"]
    service.add("Service", "Delegate", "yes")
    service.default("SyslogIdentifier", "%N")
    words += _readiness(quadlet, service)
    words += options.plain(quadlet)
    words += options.networks(quadlet, service)
    words += _security(quadlet)
    words += _devices(quadlet)
    words += _user(quadlet)
    words += options.user_namespace(quadlet)
    words += options.volumes(quadlet, service)
    words += options.mounts(quadlet, service)
    words += _ports(quadlet)
    update = quadlet.last("AutoUpdate")
    if update is not None:
        if update.value not in {"registry", "local"}:
            raise update.error(f"'{update.value}' is neither registry nor local")
        words.append(f"--label={_AUTO_UPDATE}={update.value}")
    words += _pod(quadlet, service)
    words += quadlet.words("PodmanArgs")
    words += image
    command = quadlet.last("Exec")
    if command is not None:
        words += command.words()
    service.run("ExecStart", words)


def _image(quadlet: Quadlet, service: Service) -> list[str]:
    image, rootfs = quadlet.last("Image"), quadlet.last("Rootfs")
    if image is not None and rootfs is not None:
        raise rootfs.error("excludes Image=")
    if rootfs is not None:
        return ["--rootfs", rootfs.value]
    if image is None:
        raise quadlet.error("is missing: which image the container is made of", "Image")
    return [options.image(image, image.value, service)]


def _kill_mode(service: Service) -> None:
    given = service.given("KillMode")
    if given is not None and given.value not in {"mixed", "control-group"}:
        raise given.error(f"'{given.value}' is neither mixed nor control-group")
    service.default("KillMode", "mixed")


def _readiness(quadlet: Quadlet, service: Service) -> list[str]:
    """How systemd learns that the container has started; one that is awaited needs no such thing."""
    kind = service.given("Type")
    if kind is not None and kind.value not in {"notify", "oneshot"}:
        raise kind.error(f"'{kind.value}' is neither notify nor oneshot")
    if kind is not None and kind.value == "oneshot":
        return []
    service.default("Type", "notify")
    service.default("NotifyAccess", "all")
    notify = quadlet.last("Notify")
    if notify is not None and notify.value == "healthy":
        return ["--sdnotify=healthy", "-d"]
    return [f"--sdnotify={'container' if quadlet.flag('Notify') else 'conmon'}", "-d"]


def _reload(quadlet: Quadlet, service: Service, name: str) -> None:
    command, signal = quadlet.last("ReloadCmd"), quadlet.last("ReloadSignal")
    if command is not None and signal is not None:
        raise signal.error("excludes ReloadCmd=")
    if command is not None:
        service.run("ExecReload", ["exec", name, *command.words()])
    if signal is not None:
        service.run("ExecReload", ["kill", f"--signal={signal.value}", name])


def _security(quadlet: Quadlet) -> list[str]:
    found = []
    for key, word in (
        ("NoNewPrivileges", "no-new-privileges"),
        ("SecurityLabelDisable", "label=disable"),
        ("SecurityLabelNested", "label=nested"),
    ):
        if quadlet.flag(key):
            found.append(f"--security-opt={word}")
    if quadlet.flag("VolatileTmp") and not quadlet.flag("ReadOnly"):
        found.append("--tmpfs=/tmp:rw,size=512M,mode=1777")
    return found


def _devices(quadlet: Quadlet) -> list[str]:
    found = []
    for device in quadlet.words("AddDevice"):
        name = device.removeprefix("-")
        if device == name or os.path.exists(name.partition(":")[0]):
            found.append(f"--device={name}")
    return found


def _user(quadlet: Quadlet) -> list[str]:
    user, group = quadlet.last("User"), quadlet.last("Group")
    if group is not None and user is None:
        raise group.error("needs User=")
    if user is None:
        return []
    return [f"--user={user.value}" + (f":{group.value}" if group is not None else "")]


def _ports(quadlet: Quadlet) -> list[str]:
    found = []
    for entry in quadlet.all("ExposeHostPort"):
        number = entry.value.removesuffix("/tcp").removesuffix("/udp")
        parts = number.split("-")
        if "%" not in number and not (len(parts) < 3 and all(it.isdigit() for it in parts)):
            raise entry.error(f"'{entry.value}' is not a port or a range of ports")
        found.append(f"--expose={entry.value}")
    return found


def _pod(quadlet: Quadlet, service: Service) -> list[str]:
    entry = quadlet.last("Pod")
    if entry is None:
        return []
    if not entry.value.endswith(".pod"):
        raise entry.error(f"'{entry.value}' is not the name of a .pod file")
    pod = service.refer(entry, entry.value, binds=True)
    if quadlet.flag("StartWithPod", default=True):
        pod.started.append(f"{quadlet.service}.service")
    return [f"--pod={pod.resource}"]
