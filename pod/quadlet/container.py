""".container files: a service that runs a container, made anew at each start."""

from __future__ import annotations

import os

from pod.quadlet import grammars, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.quadlet.service import Quadlet, Service

_AUTO_UPDATE = "io.containers.autoupdate"


def convert(quadlet: Quadlet, service: Service) -> None:
    name = quadlet.resource
    image = _image(quadlet, service)
    service.add("Service", "Environment", "PODMAN_SYSTEMD_UNIT=%n")
    service.kill_mode()
    service.run("ExecStop", ["rm", "-v", "-f", "-i", name])
    service.run("ExecStopPost", ["rm", "-v", "-f", "-i", name], may_fail=True)
    _reload(quadlet, service, name)
    words = ["run", f"--name={name}", "--replace", "--rm", f"--cgroups={_cgroups(quadlet)}"]
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


def _cgroups(quadlet: Quadlet) -> str:
    entry = quadlet.last("CgroupsMode")
    if entry is None:
        return "split"
    grammars.check(quadlet, entry, "--cgroups")
    return entry.value


def _readiness(quadlet: Quadlet, service: Service) -> list[str]:
    """How systemd learns that the container has started; one that is awaited needs no such thing."""
    if service.kind() == "oneshot":
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
        grammars.check(quadlet, signal, "--signal")
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
    for entry in quadlet.all("AddDevice"):
        for device in entry.words():
            name = device.removeprefix("-")
            grammars.check(quadlet, entry, "--device", name)
            if device == name or os.path.exists(name.partition(":")[0]):
                found.append(f"--device={name}")
    return found


def _user(quadlet: Quadlet) -> list[str]:
    user, group = quadlet.last("User"), quadlet.last("Group")
    if group is not None and user is None:
        raise group.error("needs User=")
    if user is None:
        return []
    value = user.value + (f":{group.value}" if group is not None else "")
    grammars.check(quadlet, user, "--user", value)
    return [f"--user={value}"]


def _ports(quadlet: Quadlet) -> list[str]:
    found = []
    for entry in quadlet.all("ExposeHostPort"):
        grammars.check(quadlet, entry, "--expose")
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
