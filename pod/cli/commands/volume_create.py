"""`pod volume create`: create a volume."""

from __future__ import annotations

from pod.base.errors import Unsupported, UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def create_volume(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import volumes
    from pod.spec.environment import parse_labels
    from pod.spec.volume_options import parse_pairs

    driver = arguments.text("driver")
    if driver not in ("", "local", None):
        raise Unsupported(f"--driver={driver}", "pod has the driver 'local'")
    created = volumes.create(
        engine,
        _name(arguments),
        labels=parse_labels(arguments.texts("label")),
        options=parse_pairs(arguments.texts("opt")),
        owner=(arguments.number("uid"), arguments.number("gid")),
        ignore=arguments.flag("ignore"),
    )
    print(created.name)


def _name(arguments: Arguments) -> str:
    """The name, as a word or as docker's old --name."""
    names = [*arguments.words, *filter(None, [arguments.text("name")])]
    if len(names) > 1:
        raise UsageError(f"a volume has one name, not '{names[0]}' and '{names[1]}'")
    return names[0] if names else ""


_OF_A_CLUSTER = tuple(
    Option((f"--{name}",), "text", refused="pod runs on this machine only")
    for name in (
        "availability group limit-bytes required-bytes scope secret sharing topology-preferred "
        "topology-required type"
    ).split()
)

COMMAND = Command(
    create_volume,
    "[OPTIONS] [NAME]",
    description=(
        "Creates a volume and prints its name, which is a random one when none is given. Containers that mount it "
        "keep their files there; the first one fills it with what its image has at that place."
    ),
    options=(
        *_OF_A_CLUSTER,
        Option(("-d", "--driver"), "text", "Driver of the volume: local", metavar="DRIVER"),
        Option(
            ("--gid",),
            "number",
            "Group of the volume, as containers see it",
            metavar="GID",
            lowest=0,
        ),
        Option(("--ignore",), "flag", "Take it for success when the volume exists already"),
        Option(("-l", "--label"), "list", "Label of the volume", metavar="KEY=VALUE"),
        Option(("--name",), "text", "Name of the volume", metavar="NAME", hidden=True),
        Option(
            ("-o", "--opt"),
            "list",
            "What the volume is made of, such as type=tmpfs",
            metavar="KEY=VALUE",
        ),
        Option(
            ("--uid",),
            "number",
            "Owner of the volume, as containers see it",
            metavar="UID",
            lowest=0,
        ),
    ),
    maximum=1,
    examples=(
        "pod volume create data",
        "pod volume create --label app=web --uid 33 --gid 33 www",
        "pod volume create --opt type=tmpfs --opt o=size=64m scratch",
        "pod volume create --opt type=none --opt o=bind --opt device=/srv/www www",
    ),
)
