"""Quadlets that a person keeps: install, list, print and remove them, and have systemd know.

systemd's generators are directories of root's. Where pod's generator is in none of them, because an ordinary user has
installed pod, the services are written here, into the user's own directory of units, each time quadlets change.
"""

from __future__ import annotations

import os

from pod.base import files, log, paths
from pod.base.errors import PodError
from pod.base.records import Record
from pod.engine import startup
from pod.quadlet import generator, places
from pod.quadlet.service import MADE_BY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pod.engine.context import Engine
    from pod.quadlet.generator import Generated

_PROGRAM = "pod-system-generator"
_TOPS = ("/run/systemd", "/etc/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
_SEVERAL = ".quadlets"  # the suffix of a file with several quadlets
_FILE_NAME = "# FileName="
_MOST_BYTES = 1 << 20  # of a file from an address
_SECONDS = 30


class NoSuchQuadlet(PodError):
    """Nothing has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no quadlet '{name}'", hint="pod quadlet list")


class Installed(Record):
    """One file: its name, where it is, the service it makes ("" for a wrong one), and in what state that is."""

    name: str
    path: str
    service: str
    status: str
    application: str


def install(
    engine: Engine, sources: Sequence[str], *, replace: bool = False, reload: bool = True
) -> list[str]:
    """Copy quadlets, and files that belong to them, to where systemd finds them; their paths there.

    A source is a file, the address of one, a file with several quadlets, or a directory with an application, whose
    files stay together. Nothing is installed when a quadlet is wrong. Raises QuadletError, PodError.
    """
    top = places.own_directory(user=_is_user())
    contents: dict[str, bytes] = {}
    for number, source in enumerate(sources):
        more = _contents(source, is_first=number == 0)
        if twice := next((name for name in more if name in contents), ""):
            raise PodError(f"'{source}' has a file '{twice}', too, as one before it has")
        contents |= more
    targets = {name: f"{top}/{name}" for name in contents}
    if not replace:
        for path in targets.values():
            if os.path.lexists(path):
                raise PodError(f"'{path}' is there already", hint="pod quadlet install --replace")
    _check(engine, contents, sources)
    for name, path in targets.items():
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            files.write_atomic(path, contents[name], mode=0o644)
        except OSError as error:
            raise PodError(f"'{path}' cannot be written: {error.strerror}") from error
    refresh(engine, reload=reload)
    return list(targets.values())


def installed(engine: Engine) -> list[Installed]:
    """All quadlets that are found, by name, with the states of their services."""
    generated = _generate(engine, places.search_directories(user=_is_user()))
    services = {path: name for name, path in _sources(generated).items()}
    found = places.find(places.search_directories(user=_is_user())).units
    states = _states(list(services.values()))
    top = places.own_directory(user=_is_user())
    listed = []
    for name, path in sorted(found.items()):
        service = services.get(path, "")
        inside = os.path.relpath(os.path.dirname(path), top)
        application = inside if inside != "." and not inside.startswith("..") else ""
        status = states.get(service, "Not loaded")
        listed.append(Installed(name, path, service, status, application))
    return listed


def own_names(engine: Engine) -> list[str]:
    """Those that `install` has put where they are."""
    top = os.path.realpath(places.own_directory(user=_is_user()))
    return [it.name for it in installed(engine) if os.path.realpath(it.path).startswith(f"{top}/")]


def text_of(name: str) -> str:
    """What a quadlet says. Raises NoSuchQuadlet."""
    path = _path_of(name)
    try:
        return files.read_text(path)
    except OSError as error:
        raise PodError(f"'{path}' cannot be read: {error.strerror}") from error


def remove(engine: Engine, name: str, *, force: bool = False) -> list[str]:
    """Remove a quadlet, or an application with all its files; what was removed. `refresh` comes after.

    One whose service runs is removed with `force` only, and stopped first. Raises NoSuchQuadlet, PodError.
    """
    top = places.own_directory(user=_is_user())
    chosen = [it for it in installed(engine) if name in {it.name, it.service, it.application}]
    if not chosen:
        raise NoSuchQuadlet(name)
    for it in chosen:
        if not os.path.realpath(it.path).startswith(f"{os.path.realpath(top)}/"):
            raise PodError(f"quadlet '{it.name}' is '{it.path}', which pod has not installed")
        if it.status.startswith("active"):
            if not force:
                raise PodError(
                    f"the service of quadlet '{it.name}' is running",
                    hint=f"pod quadlet rm --force {name}",
                )
            _systemctl("stop", it.service)
    for it in chosen:
        os.unlink(it.path)
    applications = {it.application for it in chosen if it.application == name}
    for application in applications:
        from shutil import rmtree  # heavy

        rmtree(f"{top}/{application}")
    return [it.name for it in chosen]


def refresh(engine: Engine, *, reload: bool = True) -> None:
    """Have systemd know of quadlets that have changed; without pod's generator the services are written first."""
    if not has_generator():
        if _is_user():
            _write_services(engine)
        else:
            log.warning(
                "systemd does not know pod's generator: "
                f"ln -s $(command -v {_PROGRAM}) /etc/systemd/system-generators/"
            )
    if reload:
        done = _systemctl("daemon-reload")
        if done:
            log.warning(f"systemctl daemon-reload: {done}")


def has_generator() -> bool:
    """Whether systemd runs pod's generator."""
    kind = "user-generators" if _is_user() else "system-generators"
    given = os.environ.get("SYSTEMD_GENERATOR_PATH", "")
    for directory in given.split(":") if given else [f"{top}/{kind}" for top in _TOPS]:
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        if any(os.path.realpath(f"{directory}/{it}").endswith(f"/{_PROGRAM}") for it in names):
            return True
    return False


def _is_user() -> bool:
    return os.getuid() != 0


# What is installed


def _contents(source: str, *, is_first: bool) -> dict[str, bytes]:
    """What a source installs: names below the directory of quadlets, and contents."""
    if source.startswith(("http://", "https://")):
        name = source.partition("?")[0].rstrip("/").rpartition("/")[2]
        return _named(name, _fetch(source), source, is_first=is_first)
    if "://" in source:
        raise PodError(f"'{source}' cannot be fetched: addresses begin with http:// or https://")
    try:
        if os.path.isdir(source):
            application = os.path.basename(os.path.abspath(source))
            found = _of_directory(source, f"{application}/")
            if not any(name.rpartition(".")[2] in places.SUFFIXES for name in found):
                raise PodError(f"there is no quadlet in '{source}'")
            return found
        with open(source, "rb") as file:
            return _named(os.path.basename(source), file.read(), source, is_first=is_first)
    except OSError as error:
        raise PodError(f"'{source}' cannot be read: {error.strerror}") from error


def _of_directory(directory: str, before: str) -> dict[str, bytes]:
    """The files in a directory and in those below it; links to directories are not followed. Raises OSError."""
    found: dict[str, bytes] = {}
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            found |= _of_directory(entry.path, f"{before}{entry.name}/")
        elif entry.is_file():
            with open(entry.path, "rb") as file:
                found[before + entry.name] = file.read()
    return found


def _named(name: str, content: bytes, source: str, *, is_first: bool) -> dict[str, bytes]:
    if name.endswith(_SEVERAL):
        return _several(content, source)
    if is_first and name.rpartition(".")[2] not in places.SUFFIXES:
        raise PodError(
            f"'{source}' is no quadlet",
            hint=f"its name should end with .{', .'.join(places.SUFFIXES)} or {_SEVERAL}",
        )
    return {name: content}


def _several(content: bytes, source: str) -> dict[str, bytes]:
    """The quadlets of one file: divided by lines ---, each with a comment that says its name."""
    found: dict[str, bytes] = {}
    for part in f"\n{content.decode('utf-8', 'replace')}\n".split("\n---\n"):
        lines = part.strip("\n").split("\n")
        named = [line.removeprefix(_FILE_NAME) for line in lines if line.startswith(_FILE_NAME)]
        if not part.strip():
            continue
        if len(named) != 1:
            raise PodError(f"a part of '{source}' has no line '{_FILE_NAME}NAME'")
        name = named[0].strip()
        if "/" in name or not name:
            raise PodError(f"'{name}', in '{source}', is not the name of a quadlet")
        if name.rpartition(".")[2] not in places.SUFFIXES:
            kinds = [line[1:-1].lower() for line in lines if line[:1] == "[" and line[-1:] == "]"]
            kind = next((it for it in kinds if it in places.SUFFIXES), "")
            if not kind:
                raise PodError(f"'{name}', in '{source}', has no section that a quadlet has")
            name = f"{name}.{kind}"
        if name in found:
            raise PodError(f"there are two quadlets '{name}' in '{source}'")
        found[name] = ("\n".join(lines) + "\n").encode()
    return found


def _fetch(address: str) -> bytes:
    from urllib.error import URLError  # heavy
    from urllib.request import urlopen

    try:
        with urlopen(address, timeout=_SECONDS) as response:
            data = bytes(response.read(_MOST_BYTES + 1))
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        said = getattr(reason, "strerror", None) or str(reason)
        raise PodError(f"'{address}' cannot be fetched: {said}") from error
    if len(data) > _MOST_BYTES:
        raise PodError(f"'{address}' is larger than {_MOST_BYTES} bytes")
    return data


def _check(engine: Engine, contents: dict[str, bytes], sources: Iterable[str]) -> None:
    """Raise what is wrong with the quadlets, which are looked at among those that are there."""
    from shutil import rmtree  # heavy
    from tempfile import mkdtemp

    by_name = {os.path.basename(it): it for it in sources}
    staging = mkdtemp(prefix="pod-quadlet-")
    try:
        for name, content in contents.items():
            path = f"{staging}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        generated = _generate(engine, [staging, *places.search_directories(user=_is_user())])
        for error in generated.errors:
            if error.path.startswith(f"{staging}/"):
                name = error.path.removeprefix(f"{staging}/")
                raise PodError(error.message.replace(error.path, by_name.get(name, name)))
    finally:
        rmtree(staging)


# Services


def _generate(engine: Engine, directories: Sequence[str]) -> Generated:
    return generator.generate(directories, startup.command(engine, ()))


def _sources(generated: Generated) -> dict[str, str]:
    """The quadlet of each service."""
    return {
        name: text.partition("\n")[0].removeprefix(f"# {MADE_BY} ")
        for name, text in generated.services.items()
    }


def _write_services(engine: Engine) -> None:
    """Bring the user's directory of units up to date: what earlier calls have written there goes."""
    data = os.environ.get("XDG_DATA_HOME") or f"{paths.home()}/.local/share"
    directory = f"{data}/systemd/user"
    old = _written(directory)
    generated = _generate(engine, places.search_directories(user=True))
    for error in generated.errors:
        log.warning(error.message)
    for path in old:
        os.unlink(path)
    generator.write(generated, directory)


def _written(directory: str) -> list[str]:
    """The services that pod has written there, and links to them."""
    ours = set()
    found = []
    for top, _, names in os.walk(directory):
        for name in names:
            path = f"{top}/{name}"
            if name.endswith(".service") and not os.path.islink(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    if file.readline().startswith(f"# {MADE_BY} "):
                        ours.add(os.path.realpath(path))
                        found.append(path)
    for top, _, names in os.walk(directory):
        for name in names:
            path = f"{top}/{name}"
            if os.path.islink(path) and os.path.realpath(path) in ours:
                found.append(path)
    return found


def _states(services: Sequence[str]) -> dict[str, str]:
    """How systemd finds the services: "active/running"."""
    if not services:
        return {}
    done = startup.run_program(
        [
            "systemctl",
            *_whose(),
            "show",
            "--property=Id,LoadState,ActiveState,SubState",
            *(it.replace("@.service", "@pod-quadlet-none.service") for it in services),
        ]
    )
    found: dict[str, str] = {}
    if done.returncode:
        return found
    for service, part in zip(services, done.stdout.strip().split("\n\n"), strict=False):
        values = dict(line.partition("=")[::2] for line in part.split("\n"))
        if values.get("LoadState") == "loaded":
            found[service] = f"{values.get('ActiveState')}/{values.get('SubState')}"
    return found


def _systemctl(*words: str) -> str:
    """Run it; what it complained of."""
    done = startup.run_program(["systemctl", *_whose(), *words])
    return startup.complaint_of(done) if done.returncode else ""


def _whose() -> list[str]:
    return ["--user"] if _is_user() else []


def _path_of(name: str) -> str:
    found = places.find(places.search_directories(user=_is_user())).units
    if name not in found:
        raise NoSuchQuadlet(name)
    return found[name]
