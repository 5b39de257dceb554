"""`pod system check`: is everything that is stored consistent?"""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

FOUND = 1


def check_system(arguments: Arguments, engine: Engine) -> int:
    from pod.base.log import visible
    from pod.base.units import parse_duration_ns
    from pod.engine import check

    force, repairs = arguments.flag("force"), arguments.flag("repair")
    if force and not repairs:
        raise UsageError("--force is of use with --repair only")
    if arguments.flag("quick") and arguments.flag("full"):
        raise UsageError("--quick and --full exclude each other")
    age = arguments.text("max") or ""
    problems = check.find_problems(
        engine,
        quick=arguments.flag("quick"),
        full=arguments.flag("full"),
        max_age_ns=parse_duration_ns(age, "--max"),
    )
    for problem in problems:
        print(f"{problem.kind}: {visible(problem.what)}")
    if not problems or not repairs:
        return FOUND if problems else 0
    left = check.repair(engine, problems, force=force)
    for problem in left:
        print(f"not repaired: {visible(problem.what)}")
    return FOUND if left else 0


COMMAND = Command(
    check_system,
    "[OPTIONS]",
    description=(
        "Looks for damage and leftovers: blobs against their digests, files of layers, images, containers and volumes "
        "against the database, and what killed commands and monitors have left. Prints a line for each finding. The "
        "exit status is 0 when there is none, and 1 otherwise; with --repair, when all were repaired."
    ),
    options=(
        Option(
            ("-f", "--force"),
            "flag",
            "With --repair, remove containers and images that cannot be mended",
        ),
        Option(
            ("--full",), "flag", "Compare all files of layers with the blobs that they came from"
        ),
        Option(
            ("-m", "--max"),
            "text",
            "How old blobs and layers may be that no image needs",
            metavar="DURATION",
            default="24h",
        ),
        Option(
            ("-q", "--quick"), "flag", "Do not read blobs, and do not look at the files of layers"
        ),
        Option(
            ("-r", "--repair"),
            "flag",
            "Fetch damaged blobs again, unpack damaged layers again, and remove leftovers",
        ),
    ),
    examples=("pod system check --quick", "pod system check --repair", "pod system check --full"),
)
