"""registries.conf with its drop-ins, policy.json and mounts.conf: read when an image is looked for or pulled.

The records that come out are those of pod.image. Source: containers-registries.conf(5), containers-policy.json(5),
containers-mounts.conf(5).
"""

from __future__ import annotations

from pod.base import log, plainjson
from pod.base.files import read_text
from pod.engine import configuration_cache
from pod.engine.configuration import ConfigurationError, line_of, read_toml
from pod.engine.configuration_places import files_of
from pod.image.names import DISABLED, ENFORCING, PERMISSIVE, Mirror, RegistriesConfig, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.configuration_places import Places, Source
    from pod.image.policy import Policy

_CACHE_NAME = "registries"
_MODES = (ENFORCING, PERMISSIVE, DISABLED)
_PULLS = ("all", "digest-only", "tag-only")
_KNOWN = frozenset(
    "unqualified-search-registries short-name-mode registry aliases credential-helpers registries "
    "additional-layer-store-auth-helper".split()
)
_RULE_KEYS = frozenset("prefix location insecure blocked mirror mirror-by-digest-only".split())
_MIRROR_KEYS = frozenset("location insecure pull-from-mirror".split())


def load_registries(places: Places) -> RegistriesConfig:
    """What all registries.conf files say together; kept like the settings. Raises ConfigurationError."""
    sources = places.registries_sources()
    key = [source.path for source in sources]
    kept = configuration_cache.read(places.cache, _CACHE_NAME, key)
    if kept is not None:
        try:
            config: RegistriesConfig = RegistriesConfig.from_json(kept)
            return config
        except (TypeError, AttributeError) as error:
            log.debug(f"the cached registries are of no use: {error}")
    signatures = configuration_cache.sign(sources)
    config = _read(sources)
    configuration_cache.write(places.cache, _CACHE_NAME, key, signatures, config.to_json())
    return config


def _read(sources: list[Source]) -> RegistriesConfig:
    search: tuple[str, ...] = ()
    mode = PERMISSIVE  # containers-registries.conf(5): what holds when nobody says otherwise
    helpers: tuple[str, ...] = ()
    rules: dict[str, Rule] = {}
    aliases: dict[str, str] = {}
    for file in (file for source in sources for file in files_of(source)):
        found = read_toml(file)
        if found is None:
            continue
        reader = _Reader(file.path, found[1])
        document = reader.checked_table(found[0])
        if "unqualified-search-registries" in document:
            search = reader.searched(document)
        if document.get("short-name-mode"):
            mode = reader.one_of(document, "short-name-mode", _MODES)
        if "credential-helpers" in document:
            helpers = reader.strings(document, "credential-helpers")
        for rule in reader.rules(document):
            rules[rule.prefix] = rule
        aliases.update(reader.aliases(document))
    return RegistriesConfig(
        search=search,
        short_name_mode=mode,
        rules=tuple(rules.values()),
        aliases={name: target for name, target in aliases.items() if target},
        credential_helpers=helpers,
    )


class _Reader:
    """One file: its values by type, with errors that name the line."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.first: int | None = (
            1  # where the table that is being read begins; None when it cannot be told
        )

    def checked_table(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document in the present format; the first format, [registries.search] and so on, is turned into it."""
        for key in document.keys() - _KNOWN:
            log.debug(f"'{self.path}': key '{key}' is unknown")
        if "registries" not in document:
            return document
        if document.keys() - {"registries"}:
            raise self.error(
                "registries", "is the first format, which cannot be mixed with the second"
            )
        old = self.table(document, "registries")
        rules: dict[str, dict[str, Any]] = {}
        for name, field in (("insecure", "insecure"), ("block", "blocked")):
            for location in self.strings(self.table(old, name), "registries", f"registries.{name}"):
                rules.setdefault(location, {"location": location})[field] = True
        search = list(self.strings(self.table(old, "search"), "registries", "registries.search"))
        return {"unqualified-search-registries": search, "registry": list(rules.values())}

    def searched(self, document: dict[str, Any]) -> tuple[str, ...]:
        """Where short names are looked for. What is no registry would make one of the name itself."""
        from pod.spec import reference as references  # only when the file has changed

        key = "unqualified-search-registries"
        places = self.strings(document, key)
        for place in places:
            try:
                references.parse(f"{place}/name")
            except references.InvalidReference as error:
                why = f"has '{place}', which is not HOST[:PORT][/PATH]"
                raise self.error(key, why) from error
        return places

    def rules(self, document: dict[str, Any]) -> list[Rule]:
        tables = document.get("registry", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self.error("registry", "must be written [[registry]]")
        rules = []
        headers = self.headers("registry")
        for number, table in enumerate(tables):
            self.first = headers[number] if number < len(headers) else None
            rules.append(self.rule(table))
        self.first = 1
        return rules

    def rule(self, table: dict[str, Any]) -> Rule:
        for key in table.keys() - _RULE_KEYS:
            log.debug(f"'{self.path}': key 'registry.{key}' is unknown")
        location = self.location(table, "registry")
        prefix = self.text_of(table, "prefix", "registry").rstrip("/") or location
        is_wildcard = prefix.startswith("*.")
        if not prefix:
            raise self.error("registry", "needs a location or a prefix")
        if "*" in prefix.removeprefix("*.") or (is_wildcard and set("/:") & set(prefix)):
            raise self.error(
                "prefix",
                "can only have '*' at its beginning, before a host: *.example.com",
                "registry",
            )
        if not is_wildcard and not location:
            location = prefix
        by_digest = self.truth(table, "mirror-by-digest-only", "registry")
        mirrors = table.get("mirror", [])
        if not isinstance(mirrors, list) or not all(isinstance(item, dict) for item in mirrors):
            raise self.error("mirror", "must be written [[registry.mirror]]", "registry")
        return Rule(
            prefix,
            location,
            self.truth(table, "insecure", "registry"),
            self.truth(table, "blocked", "registry"),
            by_digest,
            tuple(self.mirrors(mirrors, by_digest=by_digest)),
        )

    def mirrors(self, tables: list[dict[str, Any]], *, by_digest: bool) -> list[Mirror]:
        mirrors = []
        start = self.first
        headers = [line for line in self.headers("registry.mirror") if start and line > start]
        for number, table in enumerate(tables):
            self.first = headers[number] if number < len(headers) else None
            mirrors.append(self.mirror(table, by_digest=by_digest))
        return mirrors

    def headers(self, name: str) -> list[int]:
        """The lines that begin a table [[name]]."""
        lines = enumerate(self.text.split("\n"), 1)
        return [
            number
            for number, line in lines
            if line.partition("#")[0].replace(" ", "").strip() == f"[[{name}]]"
        ]

    def mirror(self, table: dict[str, Any], *, by_digest: bool) -> Mirror:
        where = "registry.mirror"
        for key in table.keys() - _MIRROR_KEYS:
            log.debug(f"'{self.path}': key '{where}.{key}' is unknown")
        location = self.location(table, where)
        if not location:
            raise self.error("mirror", "needs a location", "registry")
        pull = self.one_of(table, "pull-from-mirror", ("", *_PULLS), where) or "all"
        if by_digest and table.get("pull-from-mirror"):
            raise self.error(
                "pull-from-mirror", "excludes mirror-by-digest-only of its registry", where
            )
        return Mirror(location, self.truth(table, "insecure", where), pull)

    def location(self, table: dict[str, Any], where: str) -> str:
        """HOST[:PORT][/PATH], which is no URL."""
        location = self.text_of(table, "location", where).rstrip("/")
        if "://" in location:
            raise self.error("location", "is HOST[:PORT][/PATH], without a scheme", where)
        if not (location.isprintable() and location.isascii()) or " " in location:
            raise self.error("location", "is HOST[:PORT][/PATH]", where)
        return location

    def aliases(self, document: dict[str, Any]) -> dict[str, str]:
        table = self.table(document, "aliases")
        for name, target in table.items():
            if not isinstance(target, str):
                raise self.error(name, "must be a string", "aliases")
            first, slash, _ = target.partition("/")
            is_full = slash and ("." in first or ":" in first or first == "localhost")
            if target and (not is_full or "@" in target or ":" in target.rpartition("/")[2]):
                raise self.error(name, "must be a full name without tag and digest", "aliases")
        return table

    def table(self, parent: dict[str, Any], key: str) -> dict[str, Any]:
        value = parent.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "must be a table")
        return value

    def strings(self, table: dict[str, Any], key: str, where: str = "") -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "must be a list of strings", where)
        return tuple(value)

    def text_of(self, table: dict[str, Any], key: str, where: str = "") -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self.error(key, "must be a string", where)
        return value

    def truth(self, table: dict[str, Any], key: str, where: str = "") -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, "must be true or false", where)
        return value

    def one_of(
        self, table: dict[str, Any], key: str, allowed: tuple[str, ...], where: str = ""
    ) -> str:
        value = self.text_of(table, key, where)
        if value not in allowed:
            raise self.error(key, f"must be one of {', '.join(filter(None, allowed))}", where)
        return value

    def error(self, key: str, why: str, where: str = "") -> ConfigurationError:
        line = line_of(self.text, where, key, first=self.first) if self.first else 0
        return ConfigurationError(self.path, why, line=line, key=f"{where}.{key}" if where else key)


def load_policy(places: Places) -> Policy:
    """The policy of the first policy.json that exists; without any, every image may come in.

    Raises ConfigurationError: an unreadable policy lets nothing in.
    """
    from pod.image.policy import InvalidPolicy, Policy, parse_policy, without_duplicates  # heavy

    for source in places.policy_sources():
        text = _text_of(source)
        if text is None:
            continue
        try:
            return parse_policy(plainjson.loads(text, without_duplicates))
        except (ValueError, RecursionError, InvalidPolicy):
            import json  # heavy: it says where

        try:
            return parse_policy(json.loads(text, object_pairs_hook=without_duplicates))
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(source.path, f"is not valid JSON: {error}") from error
        except InvalidPolicy as error:
            raise ConfigurationError(source.path, error.message) from error
    return Policy()


def load_default_mounts(places: Places) -> tuple[tuple[str, str], ...]:
    """(path on the host, path in the container) for each line of the first mounts.conf that exists.

    Containers get a copy of what is there, not the host's files themselves. Raises ConfigurationError.
    """
    for source in places.mounts_sources():
        text = _text_of(source)
        if text is not None:
            return tuple(_default_mounts(source.path, text))
    return ()


def _default_mounts(path: str, text: str) -> list[tuple[str, str]]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        source, colon, target = entry.partition(":")
        target = target if colon else source
        if not source.startswith("/") or not target.startswith("/") or ":" in target:
            raise ConfigurationError(path, f"'{entry}' is not /SOURCE:/DESTINATION", line=number)
        found.append((source, target))
    return found


def _text_of(source: Source) -> str | None:
    try:
        return read_text(source.path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(source.path, f"cannot be read: {error.strerror}") from error
