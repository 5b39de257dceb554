"""Options of pod's commands from keys of quadlets: the plain ones by the tables, and those that several types share."""

from __future__ import annotations

from pod.quadlet import grammars, keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.quadlet.reader import Entry
    from pod.quadlet.service import Quadlet, Service


def plain(quadlet: Quadlet) -> list[str]:
    """What the tables say, key by key."""
    found: list[str] = []
    present = {entry.key for entry in quadlet.file.sections[quadlet.section]}
    for key, (kind, option, _) in quadlet.keys.items():
        if key not in present or kind == keys.OWN:
            continue
        entries = quadlet.all(key)
        if not entries:
            continue
        if kind in {keys.TEXT, keys.NUMBER, keys.FLAG}:
            entries = entries[-1:]
        for entry in entries:
            found += _of(quadlet, entry, kind, option)
    if "LogOpt" in present:
        grammars.log_options(quadlet)
    return found


def _of(quadlet: Quadlet, entry: Entry, kind: str, option: str) -> list[str]:
    if kind == keys.FLAG:
        return [option if entry.boolean() else f"{option}=false"]
    if kind in {keys.WORDS, keys.PAIRS}:
        words = entry.words()
        if kind == keys.PAIRS and (bad := next((it for it in words if it[:1] == "="), None)):
            raise entry.error(f"'{bad}' has no name before the equals sign")
        for word in words:
            grammars.check(quadlet, entry, option, word)
        return [_given(option, word) for word in words]
    value = entry.value
    if kind == keys.NUMBER and not _may_be_number(value):
        raise entry.error(f"'{value}' is not a number")
    name, _, before = option.partition(" ")
    grammars.check(quadlet, entry, name, before + value)
    if kind == keys.PATH:
        value = quadlet.absolute(value)
    return [_given(option, value)]


def _given(option: str, value: str) -> str:
    """The option, which may have the beginning of its value with it ("--security-opt label=type:"), as one word."""
    name, _, before = option.partition(" ")
    return f"{name}={before}{value}"


def _may_be_number(value: str) -> bool:
    digits = value.removeprefix("-")
    return (digits.isascii() and digits.isdigit()) or grammars.has_specifier(value)


def networks(quadlet: Quadlet, service: Service) -> list[str]:
    """--network, for each Network=, which may name a .network or .container file, with options behind a colon."""
    found = []
    for entry in quadlet.all("Network"):
        name, colon, options = entry.value.partition(":")
        if name.endswith(".network"):
            name = _named(entry, service.refer(entry, name))
        elif name.endswith(".container"):
            if colon:
                raise entry.error("the network of another container takes no options")
            name = f"container:{_named(entry, service.refer(entry, name))}"
        grammars.check(quadlet, entry, "--network", f"{name}{colon}{options}")
        found.append(f"--network={name}{colon}{options}")
    return found


def _named(entry: Entry, other: Quadlet) -> str:
    # An instance of the same name as that of the template that refers to it has the same %i.
    if "%" in other.resource.replace("%i", "" if other.instance == "%i" else "%i") and (
        other.file.path != entry.path
    ):
        raise entry.error(f"the name '{other.resource}' of '{other.file.name}' is known to it only")
    return other.resource


def volumes(quadlet: Quadlet, service: Service) -> list[str]:
    """--volume, for each Volume=, whose source may be a .volume file or a relative path."""
    found = []
    for entry in quadlet.all("Volume"):
        source, colon, rest = entry.value.partition(":")
        if colon:
            source = _source(quadlet, service, entry, source)
        grammars.check(quadlet, entry, "--volume", f"{source}{colon}{rest}")
        found.append(f"--volume={source}{colon}{rest}")
    return found


def _source(quadlet: Quadlet, service: Service, entry: Entry, source: str) -> str:
    if source.endswith(".volume"):
        return _named(entry, service.refer(entry, source))
    if source.startswith("."):
        source = quadlet.absolute(source)
    if source.startswith(("/", "%")):
        service.add("Unit", "RequiresMountsFor", source)
    return source


def mounts(quadlet: Quadlet, service: Service) -> list[str]:
    """--mount, for each Mount=; sources may be .volume and .image files and relative paths."""
    found = []
    for entry in quadlet.all("Mount"):
        fields = entry.value.split(",")
        kind = next((it.partition("=")[2] for it in fields if it.startswith("type=")), "volume")
        for number, field in enumerate(fields):
            key, equals, value = field.partition("=")
            if key not in {"source", "src"} or not equals:
                continue
            if kind == "volume" and value.endswith(".volume"):
                value = _named(entry, service.refer(entry, value))
            elif kind == "image":
                value = image(entry, value, service)
            elif kind in {"bind", "glob"} and value.startswith("."):
                value = quadlet.absolute(value)
            fields[number] = f"{key}={value}"
        grammars.check(quadlet, entry, "--mount", ",".join(fields))
        found.append(f"--mount={','.join(fields)}")
    return found


def image(entry: Entry, name: str, service: Service) -> str:
    """The image that Image= names, which may be that of an .image or .build file."""
    if name.endswith((".image", ".build")):
        return service.refer(entry, name).resource
    grammars.image(entry, name)
    return name


def user_namespace(quadlet: Quadlet) -> list[str]:
    """--userns and the maps; the Remap keys are podman 4.4's words for them."""
    found = []
    for key, option in (
        ("UIDMap", "--uidmap"),
        ("GIDMap", "--gidmap"),
        ("SubUIDMap", "--subuidname"),
        ("SubGIDMap", "--subgidname"),
    ):
        if key in quadlet.keys:
            for entry in quadlet.all(key):
                grammars.check(quadlet, entry, option)
                found.append(f"{option}={entry.value}")
    mode = quadlet.last("UserNS")
    if mode is not None:
        grammars.check(quadlet, mode, "--userns")
        return [*found, f"--userns={mode.value}"]
    remap = quadlet.last("RemapUsers")
    uids, gids = quadlet.words("RemapUid"), quadlet.words("RemapGid")
    if remap is None:
        if uids or gids:
            raise quadlet.error("needs RemapUsers=", "RemapUid" if uids else "RemapGid")
        return found
    if remap.value == "manual":
        return [*found, *(f"--uidmap={it}" for it in uids), *(f"--gidmap={it}" for it in gids)]
    if remap.value == "auto":
        parts = [f"uidmapping={it}" for it in uids] + [f"gidmapping={it}" for it in gids]
        size = quadlet.text("RemapUidSize")
        parts += [f"size={size}"] if size else []
    elif remap.value == "keep-id":
        if len(uids) > 1 or len(gids) > 1:
            raise remap.error("keep-id takes one RemapUid= and one RemapGid= at most")
        parts = [f"uid={it}" for it in uids] + [f"gid={it}" for it in gids]
    else:
        raise remap.error(f"'{remap.value}' is not one of manual, auto and keep-id")
    return [*found, f"--userns={remap.value}" + (f":{','.join(parts)}" if parts else "")]
