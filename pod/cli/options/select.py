"""Options by which commands choose containers: names, --all, --latest, --filter, --cidfile."""

from __future__ import annotations

from pod.base.errors import PodError, UsageError
from pod.cli.declare import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.list import Listed

LATEST = Option(("-l", "--latest"), "flag", "Take the container that was created last")
FILTER = Option(
    ("-f", "--filter"),
    "list",
    "Choose by what containers are, such as status=exited",
    metavar="KEY=VALUE",
)
LONG_FILTER = Option(("--filter",), "list", FILTER.help, metavar="KEY=VALUE")
CIDFILE = Option(
    ("--cidfile",),
    "list",
    "Read the id of a container from a file",
    metavar="FILE",
    completes="file",
)
IGNORE = Option(("-i", "--ignore"), "flag", "Say nothing about containers that do not exist")


def all_option(help_text: str) -> Option:
    return Option(("-a", "--all"), "flag", help_text)


def one_name(arguments: Arguments, engine: Engine) -> str:
    """The container of a command that takes exactly one: its name, or what --latest means."""
    if arguments.flag("latest"):
        if arguments.words:
            raise UsageError(f"--latest excludes a name, '{arguments.words[0]}'")
        return latest(engine)
    if not arguments.words:
        raise nothing(arguments)
    return arguments.words[0]


def latest(engine: Engine) -> str:
    """The id of the container that was created last."""
    from pod.state import containers

    return containers.latest(engine.database).id


def id_in_file(arguments: Arguments) -> str:
    """The container of a command whose --cidfile is a single file."""
    return _id_in(arguments, arguments.text("cidfile") or "")


def chosen(
    arguments: Arguments,
    engine: Engine,
    *,
    default: Callable[[Listed], bool] | None = None,
    needs: bool = True,
) -> list[str]:
    """Names as they were typed, or ids of what options mean.

    Of all containers, and of those that a filter lets through, only those for which `default` holds. Raises UsageError
    when nothing was asked for and something `needs` to be, or when two ways of choosing were mixed.
    """
    ways = {
        "names": bool(arguments.words),
        "--all": arguments.option_for("--all") is not None and arguments.flag("all"),
        "--latest": arguments.option_for("--latest") is not None and arguments.flag("latest"),
        "--filter": arguments.option_for("--filter") is not None and arguments.given("filter"),
        "--cidfile": arguments.option_for("--cidfile") is not None and arguments.given("cidfile"),
    }
    used = [way for way, is_used in ways.items() if is_used]
    if not used:
        if needs:
            raise nothing(arguments)
        return []
    if used not in (["names", "--cidfile"], ["--all", "--filter"]) and len(used) > 1:
        raise UsageError(f"{used[0]} and {used[1]} exclude each other")
    if ways["--all"] or ways["--filter"]:
        return all_where(arguments, engine, default)
    if ways["--latest"]:
        return [latest(engine)]
    names = list(arguments.words)
    if ways["--cidfile"]:
        names += [text for path in arguments.texts("cidfile") if (text := _id_in(arguments, path))]
    return names


def all_where(
    arguments: Arguments, engine: Engine, default: Callable[[Listed], bool] | None
) -> list[str]:
    """The ids of all containers that --filter lets through and for which `default` holds."""
    from pod.engine import list as listing
    from pod.engine.filters import Filters

    texts = arguments.texts("filter") if arguments.option_for("--filter") is not None else []
    found = listing.containers(engine, everything=True, filters=Filters(texts))
    return [it.summary.id for it in found if default is None or default(it)]


def _id_in(arguments: Arguments, path: str) -> str:
    from pod.base.files import read_text

    try:
        return read_text(path).partition("\n")[0].strip()
    except FileNotFoundError:
        if arguments.option_for("--ignore") is not None and arguments.flag("ignore"):
            return ""
        raise PodError(f"the file '{path}' of --cidfile does not exist") from None
    except OSError as error:
        raise PodError(f"file '{path}' of --cidfile cannot be read: {error.strerror}") from error


def nothing(arguments: Arguments) -> UsageError:
    """The error of a command that was not told which container is meant."""
    ways = [
        spelling
        for spelling in ("--all", "--latest", "--filter", "--cidfile")
        if arguments.option_for(spelling) is not None
    ]
    return UsageError(
        f"`{arguments.spelling}` needs the name or id of a container"
        + (f", or {' or '.join(ways)}" if ways else ""),
        hint=f"{arguments.spelling} --help",
    )
