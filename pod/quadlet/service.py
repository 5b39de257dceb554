"""What converters work with: a quadlet and its names, the other quadlets, and the service that is being written."""

from __future__ import annotations

import os

from pod.quadlet import grammars, keys
from pod.quadlet.reader import Entry, QuadletError, UnitFile
from pod.spec.systemd_text import literal, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_OF_UNITS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\")
"""What names of units consist of (systemd.unit(5)), besides the @ of a template."""
# Sections that are systemd's, besides the one of the type; X-... is for anybody.
_PASSED = ("Unit", "Service", "Install")
# Keys of [Unit] that name units, and whether they say what comes first.
_DEPENDENCIES = (
    "After Before BindsTo Conflicts OnFailure OnSuccess PartOf PropagatesReloadTo PropagatesStopTo "
    "ReloadPropagatedFrom Requires Requisite StopPropagatedFrom Upholds Wants"
).split()


class Quadlet:
    """One file: what it says, and what its service and the thing that it makes are called."""

    def __init__(self, file: UnitFile) -> None:
        self.file = file
        self.stem, _, self.suffix = file.name.rpartition(".")
        self.section, self.keys, addition = keys.TYPES[self.suffix]
        self.base, self.at, self.instance = self.stem.partition("@")
        self._check_sections()
        given = file.last(self.section, "ServiceName")
        if given is not None and (set(given.value) - _OF_UNITS or given.value.endswith(".service")):
            raise given.error(f"'{given.value}' is not the name of a service without .service")
        if set(self.stem) - _OF_UNITS - {"@"} or not self.base:
            raise QuadletError(
                "no service can have this name: letters, digits and :-_.\\ are allowed", file.path
            )
        own = given.value if given is not None else self.base + addition
        self.service = f"{own}{self.at}{self.instance}"
        self.resource = self._resource()
        self.started: list[str] = []
        """Of a pod: services of containers that start with it."""
        self.after: dict[str, Entry] = {}
        """Names of quadlets that must come before this one, with the line that says so."""

    def text(self, key: str, default: str = "") -> str:
        return self.file.text(self.section, key, default)

    def flag(self, key: str, *, default: bool = False) -> bool:
        return self.file.flag(self.section, key, default=default)

    def all(self, key: str) -> list[Entry]:
        return self.file.all(self.section, key)

    def last(self, key: str) -> Entry | None:
        return self.file.last(self.section, key)

    def words(self, key: str) -> list[str]:
        return self.file.words(self.section, key)

    def error(self, message: str, key: str = "") -> QuadletError:
        """For what concerns the whole section."""
        path, line = self.file.lines.get(self.section, (self.file.path, 0))
        return QuadletError(message, path, line, key)

    def absolute(self, path: str) -> str:
        """A path that may be relative to the file; one that begins with a specifier is left to systemd."""
        if path.startswith(("/", "%")):
            return path
        return os.path.normpath(f"{os.path.dirname(os.path.abspath(self.file.path))}/{path}")

    def _check_sections(self) -> None:
        known = {self.section: self.keys, "Quadlet": keys.QUADLET}
        for section, entries in self.file.sections.items():
            path, line = self.file.lines[section]
            if section in known:
                for entry in entries:
                    if entry.key not in known[section]:
                        raise _unknown(entry, section, known[section])
                    if why := keys.REFUSED.get((self.suffix, entry.key)):
                        raise entry.error(f"is not supported: {why}")
            elif section not in _PASSED and not section.startswith("X-"):
                raise QuadletError(
                    f"[{section}] is no section of .{self.suffix} files", path, line, ""
                )
        if self.section not in self.file.sections:
            raise QuadletError(f"there is no section [{self.section}]", self.file.path)

    def _resource(self) -> str:
        """The name of the container, volume, network, image; specifiers in it as systemd would expand them."""
        named = {"container": "ContainerName", "pod": "PodName", "volume": "VolumeName"}
        named |= {"network": "NetworkName"}
        key = named.get(self.suffix, "")
        if given := self.last(key):
            grammars.name(given)
            return given.value.replace("%N", self.service)
        if self.at:
            own = f"systemd-{self.base}_{self.instance or '%i'}"
        else:
            own = f"systemd-{self.service if self.suffix == 'container' else self.stem}"
        if key and not grammars.can_be_name(own):
            raise self.error(f"is missing: '{own}', made of the file's name, can be no name", key)
        return own


def _unknown(entry: Entry, section: str, known: Iterable[str]) -> QuadletError:
    from pod.base.suggest import did_you_mean

    return entry.error(f"is no key of [{section}]{did_you_mean(entry.key, known)}")


class World:
    """All quadlets by file name, and how they call pod."""

    def __init__(self, program: Sequence[str]) -> None:
        self.program = program
        self.quadlets: dict[str, Quadlet] = {}

    def find(self, entry: Entry, name: str) -> Quadlet:
        """The quadlet that a value refers to."""
        found = self.quadlets.get(name) or self.instance(name)
        if found is None:
            raise entry.error(f"there is no quadlet '{name}', or it has an error")
        return found

    def instance(self, name: str) -> Quadlet | None:
        """What the quadlet `base@one.container` would be, of which there is the template alone."""
        stem, _, suffix = name.rpartition(".")
        base, _, instance = stem.partition("@")
        template = self.quadlets.get(f"{base}@.{suffix}")
        if not instance or template is None:
            return None
        from copy import copy  # few need it

        found = copy(template)
        found.instance, found.started, found.after = instance, [], {}
        found.service = f"{template.service}{instance}"
        found.resource = template.resource.replace("%i", instance)
        return found


class Service:
    """The service of one quadlet: what is added to the sections that the file has."""

    def __init__(self, quadlet: Quadlet, world: World) -> None:
        self.quadlet, self.world = quadlet, world
        self.added: dict[str, list[tuple[str, str]]] = {"Unit": [], "Service": []}

    def add(self, section: str, key: str, value: str) -> None:
        self.added[section].append((key, value))

    def default(self, key: str, value: str) -> None:
        """Set a key of [Service] unless the file does."""
        if self.given(key) is None:
            self.add("Service", key, value)

    def given(self, key: str) -> Entry | None:
        return self.quadlet.file.last("Service", key)

    def kind(self) -> str:
        """Type= of a service that runs something: notify, or oneshot where the file says so."""
        entry = self.given("Type")
        if entry is not None and entry.value not in {"notify", "oneshot"}:
            raise entry.error(f"'{entry.value}' is neither notify nor oneshot")
        return "notify" if entry is None else entry.value

    def kill_mode(self) -> None:
        entry = self.given("KillMode")
        if entry is not None and entry.value not in {"mixed", "control-group"}:
            raise entry.error(f"'{entry.value}' is neither mixed nor control-group")
        self.default("KillMode", "mixed")

    def run(self, key: str, words: Iterable[str], *, may_fail: bool = False) -> None:
        """A command line of pod; specifiers and variables in the words are systemd's to expand."""
        quadlet = self.quadlet
        first = [f"--module={entry.value}" for entry in quadlet.all("ContainersConfModule")]
        first += quadlet.words("GlobalArgs")
        line = [quote(literal(word)) for word in self.world.program]
        line += [quote(word) for word in (*first, *words)]
        self.add("Service", key, ("-" if may_fail else "") + " ".join(line))

    def refer(self, entry: Entry, name: str, *, binds: bool = False) -> Quadlet:
        """The quadlet `name`, after whose service this one starts."""
        other = self.world.find(entry, name)
        unit = f"{other.service}.service"
        self.add("Unit", "BindsTo" if binds else "Requires", unit)
        self.add("Unit", "After", unit)
        self.quadlet.after[name] = entry
        return other

    def is_oneshot(self) -> None:
        """For what is made once and stays."""
        self.default("Type", "oneshot")
        self.default("RemainAfterExit", "yes")
        self.default("SyslogIdentifier", "%N")

    def render(self) -> str:
        """The text of the service's unit file."""
        quadlet = self.quadlet
        lines = [f"# {MADE_BY} {quadlet.file.path}"]
        self.add("Unit", "SourcePath", quadlet.file.path)
        names = [*quadlet.file.sections, *(n for n in self.added if n not in quadlet.file.sections)]
        for section in sorted(names, key=lambda name: _ORDER.get(name, 1)):
            shown = f"X-{section}" if section in {quadlet.section, "Quadlet"} else section
            lines += ["", f"[{shown}]"]
            for entry in quadlet.file.sections.get(section, ()):
                value = self._translated(entry) if section == "Unit" else entry.value
                lines.append(f"{entry.key}={value}")
            lines += [f"{key}={value}" for key, value in self.added.get(section, ())]
        return "\n".join(lines) + "\n"

    def translate_dependencies(self) -> None:
        """Check the quadlets that [Unit] names, and note their order."""
        for entry in self.quadlet.file.sections.get("Unit", ()):
            if entry.key not in _DEPENDENCIES:
                continue
            for name in entry.value.split():
                if name.rpartition(".")[2] not in keys.TYPES:
                    continue
                other = self.world.find(entry, name)
                if entry.key == "After":
                    self.quadlet.after.setdefault(name, entry)
                elif entry.key == "Before":
                    other.after.setdefault(self.quadlet.file.name, entry)

    def _translated(self, entry: Entry) -> str:
        if entry.key not in _DEPENDENCIES:
            return entry.value
        words = []
        for name in entry.value.split():
            other = self.world.quadlets.get(name) or self.world.instance(name)
            words.append(f"{other.service}.service" if other is not None else name)
        return " ".join(words)


MADE_BY = "Made by pod-system-generator from"
_ORDER = {"Unit": 0, "Service": 2, "Install": 3}
