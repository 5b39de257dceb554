"""`pod info`: what pod found on this machine."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

# Go's names of the fields whose JSON names do not tell them.
_NAMES = {
    "apparmorEnabled": "AppArmorEnabled",
    "capabilities": "DefaultCapabilities",
    "cgroupVersion": "CgroupsVersion",
    "cpuUtilization": "CPUUtilization",
    "cpus": "CPUs",
    "gidmap": "GIDMap",
    "idMappings": "IDMappings",
    "ociRuntime": "OCIRuntime",
    "os": "OS",
    "seccompEnabled": "SECCOMPEnabled",
    "seccompProfilePath": "SECCOMPProfilePath",
    "selinuxEnabled": "SELinuxEnabled",
    "slirp4netns": "Slirp4NetNS",
    "uidmap": "UIDMap",
}
_MAPS = frozenset(("registries", "graphStatus", "graphOptions", "storageDrivers"))


class Struct(dict[str, object]):
    """A part of the document under Go's names for templates; `document` is what JSON has."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        super().__init__({go_name(key): for_templates(key, document[key]) for key in document})


def go_name(key: str) -> str:
    """The name that templates have for a key of the document."""
    return _NAMES.get(key) or "".join(part[:1].upper() + part[1:] for part in key.split("_"))


def for_templates(key: str, value: Any) -> Any:
    """A value of the document as templates see it."""
    if isinstance(value, dict):
        return value if key in _MAPS else Struct(value)
    if isinstance(value, list):
        return [for_templates(key, item) for item in value]
    return value


def show_info(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.output import is_json, json_text, show_document, write
    from pod.engine.info import document

    form = arguments.text("format")
    found = document(engine)
    if not form:
        from pod.cli import yaml

        write(yaml.text(found))
    elif is_json(form):
        write(json_text(found))
    else:
        show_document(_with_dockers_names(Struct(found)), form)


def _with_dockers_names(info: Struct) -> Struct:
    """The same for templates, with the names that `docker info` has at its top."""
    host, store, version = (info.document[part] for part in ("host", "store", "version"))
    containers = store["containerStore"]
    info.update(
        {
            "Architecture": host["arch"],
            "CgroupDriver": host["cgroupManager"],
            "CgroupVersion": host["cgroupVersion"].removeprefix("v"),
            "Containers": containers["number"],
            "ContainersPaused": containers["paused"],
            "ContainersRunning": containers["running"],
            "ContainersStopped": containers["stopped"],
            "DefaultRuntime": host["ociRuntime"]["name"],
            "DockerRootDir": store["graphRoot"],
            "Driver": store["graphDriverName"],
            "Images": store["imageStore"]["number"],
            "KernelVersion": host["kernel"],
            "LoggingDriver": host["logDriver"],
            "MemTotal": host["memTotal"],
            "NCPU": host["cpus"],
            "Name": host["hostname"],
            "OSType": host["os"],
            "OperatingSystem": f"{host['distribution']['distribution']} {host['distribution']['version']}",
            "ServerVersion": version["Version"],
        }
    )
    return info


COMMAND = Command(
    show_info,
    "[OPTIONS]",
    description=(
        "Shows what pod found on this machine: ids and cgroups delegated to you, programs that connect containers "
        "to the network, storage drivers and why some cannot be used, registries, the places of files."
    ),
    options=(
        Option(
            ("-f", "--format"),
            "text",
            "Show it as JSON, or by a Go template",
            metavar="FORMAT",
        ),
    ),
    examples=("pod info", "pod info --format '{{.Store.GraphDriverName}}'"),
)
