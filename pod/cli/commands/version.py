"""`pod version`: the version of pod."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments


def show_version(arguments: Arguments, engine: None) -> None:
    import sys

    from pod.base.version import VERSION
    from pod.cli.output import show_document, write
    from pod.image.platform import host_platform

    platform = host_platform()
    facts: dict[str, str | int] = {
        "Version": VERSION,
        "APIVersion": VERSION,
        # podman's fields for what a Python program has not.
        "GoVersion": "",
        "GitCommit": "",
        "BuiltTime": "",
        "Built": 0,
        "PythonVersion": sys.version.partition(" ")[0],
        "Os": platform.os,
        "Arch": platform.architecture,
    }
    facts["OsArch"] = f"{facts['Os']}/{facts['Arch']}"
    form = arguments.text("format")
    if form:
        # There is no server, and scripts ask for its version all the same.
        show_document({"Client": facts, "Server": facts}, form)
        return
    write(
        f"Client:       pod\nVersion:      {facts['Version']}\nAPI Version:  {facts['APIVersion']}\n"
    )
    write(f"Python:       {facts['PythonVersion']}\nOS/Arch:      {facts['OsArch']}\n")


COMMAND = Command(
    show_version,
    options=(
        Option(
            ("-f", "--format"),
            "text",
            "Show it as JSON, or by a Go template",
            metavar="FORMAT",
        ),
    ),
    examples=("pod version", "pod version --format '{{.Client.Version}}'"),
    needs_engine=False,
)
