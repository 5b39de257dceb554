""".volume, .network, .image, .artifact and .build files: services that make something once, if it is not there."""

from __future__ import annotations

import os

from pod.quadlet import grammars, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.quadlet.reader import Entry
    from pod.quadlet.service import Quadlet, Service

_NETWORK_DRIVERS = dict.fromkeys(
    ("macvlan", "ipvlan"), "only root can put containers on an interface of the host"
)
_VOLUME_DRIVERS = {
    "image": "pod mounts images into containers: Mount=type=image,source=...,destination=..."
}


def volume(quadlet: Quadlet, service: Service) -> None:
    service.is_oneshot()
    _only_driver(quadlet, "local", _VOLUME_DRIVERS)
    words = ["volume", "create", "--ignore", *options.plain(quadlet)]
    words += _mount_options(quadlet, service)
    service.run("ExecStart", [*words, *quadlet.words("PodmanArgs"), quadlet.resource])


def _only_driver(quadlet: Quadlet, driver: str, others: dict[str, str]) -> None:
    entry = quadlet.last("Driver")
    if entry is not None and entry.value != driver and not grammars.has_specifier(entry.value):
        why = others.get(entry.value, f"pod has the driver '{driver}'")
        raise entry.error(f"'{entry.value}' is not supported: {why}")


def _mount_options(quadlet: Quadlet, service: Service) -> list[str]:
    found = []
    if (copy := quadlet.last("Copy")) is not None:
        found.append("--opt=copy" if copy.boolean() else "--opt=nocopy")
    device, kind, more = (quadlet.last(key) for key in ("Device", "Type", "Options"))
    for entry in (kind, more):
        if entry is not None and device is None:
            raise entry.error("needs Device=")
    mount = [
        f"{name}={_owner(entry, name)}"
        for key, name in (("User", "uid"), ("Group", "gid"))
        if (entry := quadlet.last(key)) is not None
    ]
    if device is not None:
        found.append(f"--opt=device={device.value}")
        if kind is not None:
            found.append(f"--opt=type={kind.value}")
            if kind.value == "bind":
                service.add("Unit", "RequiresMountsFor", device.value)
        mount += [more.value] if more is not None else []
    found += [f"--opt=o={','.join(mount)}"] if mount else []
    values = [word.removeprefix("--opt=") for word in found]
    if entry := more or kind or device or quadlet.last("User") or quadlet.last("Group"):
        _check_mount(entry, values)
    return found


def _check_mount(entry: Entry, values: list[str]) -> None:
    """Raise QuadletError for what `volume create --opt` refuses, by a key of those that say what is mounted."""
    from pod.spec.volume_options import parse_pairs, parse_volume_options

    if not any(grammars.has_specifier(value) for value in values):
        grammars.said(entry, "--opt", lambda: parse_volume_options(parse_pairs(values)))


def _owner(entry: Entry, name: str) -> str:
    """The number of a user or group, who may be named as this machine knows them."""
    if entry.value.isdigit() or grammars.has_specifier(entry.value):
        return entry.value
    import grp
    import pwd

    try:
        if name == "uid":
            return str(pwd.getpwnam(entry.value).pw_uid)
        return str(grp.getgrnam(entry.value).gr_gid)
    except KeyError:
        raise entry.error(f"this machine has no {entry.key.lower()} '{entry.value}'") from None


def network(quadlet: Quadlet, service: Service) -> None:
    service.is_oneshot()
    _only_driver(quadlet, "bridge", _NETWORK_DRIVERS)
    for entry in quadlet.all("Options"):
        if not grammars.has_specifier(entry.value):
            grammars.said(entry, "--opt", lambda entry=entry: _driver_options(entry))  # type: ignore[misc]
    words = ["network", "create", "--ignore", *options.plain(quadlet)]
    subnets, gateways, ranges = (quadlet.all(key) for key in ("Subnet", "Gateway", "IPRange"))
    for entries in (gateways, ranges):
        if len(entries) > len(subnets):
            raise entries[len(subnets)].error("has no Subnet= that it belongs to")
    for number, subnet in enumerate(subnets):
        _check_subnet(subnet, gateways[number : number + 1], ranges[number : number + 1])
        words.append(f"--subnet={subnet.value}")
        words += [f"--gateway={it.value}" for it in gateways[number : number + 1]]
        words += [f"--ip-range={it.value}" for it in ranges[number : number + 1]]
    service.run("ExecStart", [*words, *quadlet.words("PodmanArgs"), quadlet.resource])
    if quadlet.flag("NetworkDeleteOnStop"):
        service.run("ExecStopPost", ["network", "rm", quadlet.resource])


def _driver_options(entry: Entry) -> None:
    from pod.spec.networks import parse_driver_options

    parse_driver_options(entry.words())


def _check_subnet(subnet: Entry, gateways: list[Entry], ranges: list[Entry]) -> None:
    """Raise QuadletError for the one of the three that is wrong."""
    from pod.spec.networks import parse_subnet

    net = subnet.value
    if any(grammars.has_specifier(it.value) for it in (subnet, *gateways, *ranges)):
        return
    grammars.said(subnet, "--subnet", lambda: parse_subnet("--subnet", net))
    for it in gateways:
        grammars.said(it, "--gateway", lambda it=it: parse_subnet("--subnet", net, it.value))  # type: ignore[misc]
    for it in ranges:
        grammars.said(
            it,
            "--ip-range",
            lambda it=it: parse_subnet("--subnet", net, "", it.value),  # type: ignore[misc]
        )


def image(quadlet: Quadlet, service: Service) -> None:
    _pull(quadlet, service, "Image", "which image is pulled")


def artifact(quadlet: Quadlet, service: Service) -> None:
    _pull(quadlet, service, "Artifact", "which artifact is pulled")


def _pull(quadlet: Quadlet, service: Service, key: str, what: str) -> None:
    entry = quadlet.last(key)
    if entry is None:
        raise quadlet.error(f"is missing: {what}", key)
    if key == "Image":
        grammars.image(entry, entry.value)
        if (tag := quadlet.last("ImageTag")) is not None:
            grammars.image(tag, tag.value)
    service.is_oneshot()
    words = [key.lower(), "pull", *options.plain(quadlet), *quadlet.words("PodmanArgs")]
    service.run("ExecStart", [*words, entry.value])


def build(quadlet: Quadlet, service: Service) -> None:
    if quadlet.last("ImageTag") is None:
        raise quadlet.error("is missing: what the image is called", "ImageTag")
    service.is_oneshot()
    words = ["build", *options.plain(quadlet), *options.networks(quadlet, service)]
    words += options.volumes(quadlet, service)
    context = _context(quadlet, service)
    file = quadlet.last("File")
    if file is not None:
        path = file.value if _is_url(file.value) else quadlet.absolute(file.value)
        words.append(f"--file={path}")
    words += quadlet.words("PodmanArgs")
    service.run("ExecStart", [*words, *context])


def _context(quadlet: Quadlet, service: Service) -> list[str]:
    """The context as the command's argument; where it is a directory of ours, the working directory is that as well."""
    wanted, file = quadlet.last("SetWorkingDirectory"), quadlet.last("File")
    given = service.given("WorkingDirectory")
    if wanted is None:
        if given is not None:
            return [given.value]
        if file is None:
            raise quadlet.error("is missing, or SetWorkingDirectory=", "File")
        if _is_url(file.value):
            return ["."]
        return [os.path.dirname(quadlet.absolute(file.value))]
    if _is_url(wanted.value):
        return [wanted.value]
    if wanted.value == "unit":
        path = quadlet.absolute(".")
    elif wanted.value == "file":
        if file is None:
            raise wanted.error("'file' needs File=")
        path = os.path.dirname(quadlet.absolute(file.value))
    else:
        path = quadlet.absolute(wanted.value)
    if given is None and wanted.value in {"unit", "file"}:
        service.add("Service", "WorkingDirectory", path)
    return [path]


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://", "git://", "github.com/"))
