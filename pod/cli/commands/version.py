"""`pod version`: the version of pod."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def show_version(arguments: Arguments, engine: None) -> None:
    import os
    import sys

    from pod.base.version import VERSION
    from pod.cli.output import show_document, write

    machine = os.uname().machine
    facts = {
        "Version": VERSION,
        "APIVersion": VERSION,
        "PythonVersion": sys.version.partition(" ")[0],
        "Os": "linux",
        "Arch": _ARCHITECTURES.get(machine, machine),
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
