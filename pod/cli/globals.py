"""The options of pod itself, which stand before the command (and are found behind it, too)."""

from __future__ import annotations

from pod.cli.declare import Option

_HERE = "pod runs on this machine only"
_MONITOR = "each container is watched by pod's own monitor"
_LATER = "this version of pod does not have it yet"

GLOBAL_OPTIONS = (
    Option(
        ("--cgroup-manager",),
        "text",
        "Who gives containers a cgroup where none is delegated to you: systemd, or cgroupfs for nobody",
        metavar="MANAGER",
        choices=("systemd", "cgroupfs"),
    ),
    Option(
        ("--config",),
        "text",
        "Directory with a config.json that holds registry credentials, as docker has it",
        metavar="DIRECTORY",
        completes="directory",
    ),
    Option(
        ("--events-backend",),
        "text",
        "Where events are recorded: file, or none for nowhere",
        metavar="BACKEND",
    ),
    Option(
        ("-l", "--log-level"),
        "text",
        "Show diagnostics of this level and above: trace, debug, info, warn, error, fatal, panic",
        metavar="LEVEL",
        default="warn",
    ),
    Option(
        ("--module",),
        "list",
        "Read an additional containers.conf, by name or path",
        metavar="FILE",
        completes="file",
    ),
    Option(
        ("--network-cmd-path",),
        "text",
        "Path of the program that connects containers to the network",
        metavar="PATH",
        completes="file",
    ),
    Option(("--noout",), "flag", "Print no results"),
    Option(("--out",), "text", "Write results to a file", metavar="FILE", completes="file"),
    Option(
        ("--root",),
        "text",
        "Directory of images, containers and volumes",
        metavar="DIRECTORY",
        completes="directory",
    ),
    Option(
        ("--runroot",),
        "text",
        "Directory of what is forgotten at a reboot",
        metavar="DIRECTORY",
        completes="directory",
    ),
    Option(
        ("--runtime",),
        "text",
        "OCI runtime that runs the containers, by name or path; pod's own when not given",
        metavar="RUNTIME",
    ),
    Option(
        ("--runtime-flag",),
        "list",
        "Option for the OCI runtime, without its leading dashes",
        metavar="FLAG",
    ),
    Option(
        ("--storage-driver",),
        "text",
        "How the root file systems of containers are put together",
        metavar="DRIVER",
    ),
    Option(("--storage-opt",), "list", "Option for the storage driver", metavar="KEY=VALUE"),
    Option(
        ("--cdi-spec-dir",),
        "list",
        "Directory with files of CDI devices",
        metavar="DIRECTORY",
        completes="directory",
    ),
    Option(
        ("--hooks-dir",),
        "list",
        "Directory with hooks, oci-hooks(5)",
        metavar="DIRECTORY",
        completes="directory",
    ),
    Option(("-v", "--version"), "flag", "Show the version of pod"),
    Option(
        ("--volumepath",),
        "text",
        "Directory of volumes",
        metavar="DIRECTORY",
        completes="directory",
    ),
    Option(("-D", "--debug"), "flag", "The same as --log-level=debug", hidden=True),
    # What podman and docker have besides.
    Option(("--conmon",), "text", refused=_MONITOR),
    Option(("-c", "--connection"), "text", refused=_HERE),
    Option(("--context",), "text", refused=_HERE),
    Option(("--cpu-profile",), "text", refused="it profiles podman itself"),
    Option(("--db-backend",), "text", refused="pod has one database, SQLite"),
    Option(("--default-mounts-file",), "text", refused=_LATER),
    Option(("-H", "--host"), "list", refused=_HERE),
    Option(("--identity",), "text", refused=_HERE),
    Option(("--imagestore",), "text", refused="images are stored below --root"),
    Option(("--max-workers",), "number", refused="pod chooses the number of workers itself"),
    Option(("--memory-profile",), "text", refused="it profiles podman itself"),
    Option(("--namespace",), "text", refused="use a --root of its own for separate containers"),
    Option(("--network-config-dir",), "text", refused="networks are stored below --root"),
    Option(("--pull-option",), "list", refused="pod pulls whole layers"),
    Option(("--registries-conf",), "text", refused="set CONTAINERS_REGISTRIES_CONF instead"),
    Option(("-r", "--remote"), "flag", refused=_HERE),
    Option(("--ssh",), "text", refused=_HERE),
    Option(("--syslog",), "flag", refused="diagnostics go to standard error"),
    Option(("--tls",), "flag", refused=_HERE),
    Option(("--tls-ca",), "text", refused=_HERE),
    Option(("--tls-cert",), "text", refused=_HERE),
    Option(("--tls-key",), "text", refused=_HERE),
    Option(("--tmpdir",), "text", refused="what is forgotten at a reboot is below --runroot"),
    Option(("--trace",), "flag", refused="use --log-level=trace instead"),
    Option(
        ("--transient-store",),
        "flag",
        refused="use a --root on a tmpfs for containers that a reboot forgets",
    ),
    Option(("--url",), "text", refused=_HERE),
)
