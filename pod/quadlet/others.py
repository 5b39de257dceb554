""".volume, .network, .image, .artifact and .build files: services that make something once, if it is not there."""

from __future__ import annotations

import os

from pod.quadlet import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.quadlet.service import Quadlet, Service


def volume(quadlet: Quadlet, service: Service) -> None:
    service.is_oneshot()
    words = ["volume", "create", "--ignore", *options.plain(quadlet)]
    if quadlet.text("Driver") == "image":
        image = quadlet.last("Image")
        if image is None:
            raise quadlet.error("is missing, which Driver=image needs", "Image")
        words.append(f"--opt=image={options.image(image, image.value, service)}")
    else:
        words += _mount_options(quadlet, service)
    service.run("ExecStart", [*words, *quadlet.words("PodmanArgs"), quadlet.resource])


def _mount_options(quadlet: Quadlet, service: Service) -> list[str]:
    found = []
    if (copy := quadlet.last("Copy")) is not None:
        found.append("--opt=copy" if copy.boolean() else "--opt=nocopy")
    device, kind, more = (quadlet.last(key) for key in ("Device", "Type", "Options"))
    for entry in (kind, more):
        if entry is not None and device is None:
            raise entry.error("needs Device=")
    mount = [
        f"{name}={quadlet.text(key)}"
        for key, name in (("User", "uid"), ("Group", "gid"))
        if quadlet.text(key)
    ]
    if device is not None:
        found.append(f"--opt=device={device.value}")
        if kind is not None:
            found.append(f"--opt=type={kind.value}")
            if kind.value == "bind":
                service.add("Unit", "RequiresMountsFor", device.value)
        mount += [more.value] if more is not None else []
    return [*found, f"--opt=o={','.join(mount)}"] if mount else found


def network(quadlet: Quadlet, service: Service) -> None:
    service.is_oneshot()
    words = ["network", "create", "--ignore", *options.plain(quadlet)]
    subnets, gateways, ranges = (quadlet.all(key) for key in ("Subnet", "Gateway", "IPRange"))
    for entries in (gateways, ranges):
        if len(entries) > len(subnets):
            raise entries[len(subnets)].error("has no Subnet= that it belongs to")
    for number, subnet in enumerate(subnets):
        words.append(f"--subnet={subnet.value}")
        words += [f"--gateway={it.value}" for it in gateways[number : number + 1]]
        words += [f"--ip-range={it.value}" for it in ranges[number : number + 1]]
    service.run("ExecStart", [*words, *quadlet.words("PodmanArgs"), quadlet.resource])
    if quadlet.flag("NetworkDeleteOnStop"):
        service.run("ExecStopPost", ["network", "rm", quadlet.resource])


def image(quadlet: Quadlet, service: Service) -> None:
    _pull(quadlet, service, "Image", "which image is pulled")


def artifact(quadlet: Quadlet, service: Service) -> None:
    _pull(quadlet, service, "Artifact", "which artifact is pulled")


def _pull(quadlet: Quadlet, service: Service, key: str, what: str) -> None:
    entry = quadlet.last(key)
    if entry is None:
        raise quadlet.error(f"is missing: {what}", key)
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
