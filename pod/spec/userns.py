"""The user namespace of a container: --userns, --uidmap, --gidmap, and the id maps that follow from them.

Two steps, as podman-run(1) tells them under "--uidmap": an *intermediate* id is 0 for the caller and 1 and up for the
caller's subordinate ids, which is the map of every container that asks for nothing else; options say which
intermediate id a container's id is. For root, intermediate ids are the machine's own.
"""

from __future__ import annotations

from itertools import pairwise

from pod.base.errors import InvalidValue, PodError, Unsupported, UsageError
from pod.base.records import Record
from pod.base.units import parse_integer
from pod.spec.namespaces import split_joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import ClassVar

    from pod.linux.idmap import Extent, IdMap

HIGHEST_ID = 4294967294
SMALLEST_AUTO = 1024  # ids, of --userns=auto without a size; podman's auto-userns-min-size
_MOST_EXTENTS = 340  # user_namespaces(7)


class IdMapping(Record):
    """`count` ids from `inside` on are the ids from `outside` on: intermediate ones, or the host's with `on_host`."""

    inside: int
    outside: int
    count: int = 1
    extends: bool = False  # "+": change the usual map instead of replacing it
    on_host: bool = False  # "@"
    only: str = ""  # "u" or "g": for uids or gids alone

    def __str__(self) -> str:
        marks = ("+" if self.extends else "") + self.only
        return f"{marks}{self.inside}:{'@' if self.on_host else ''}{self.outside}:{self.count}"


class UserNamespace(Record):
    """What --userns, --uidmap and --gidmap ask for."""

    mode: str = ""  # as typed: "", "host", "private", "keep-id", "nomap", "auto", "user", "container", "ns"; or "map"
    joined: str = ""  # container or path, for "container" and "ns"
    uid: int | None = None  # keep-id: who the caller is inside
    gid: int | None = None
    size: int = 0  # keep-id, auto: how many ids; 0 for all, or for what is needed
    uid_maps: tuple[IdMapping, ...] = ()
    gid_maps: tuple[IdMapping, ...] = ()
    start: int = (
        0  # auto: the first of the intermediate ids that were chosen; 0 as long as none are
    )

    nested: ClassVar = {"uid_maps": IdMapping, "gid_maps": IdMapping}


class IdsNotAvailable(PodError):
    """A map needs ids that the caller does not have."""


def parse_userns(text: str, option: str = "--userns") -> UserNamespace:
    """`--userns MODE[:OPTIONS]`; "" and "host" are the usual map, in which the caller is root."""
    if joined := split_joined(option, text):
        return UserNamespace(joined.mode, joined.joined)
    mode, colon, rest = text.partition(":")
    if mode not in {"", "host", "private", "keep-id", "nomap", "auto", "user"}:
        raise InvalidValue(
            option,
            text,
            "one of host, user, keep-id, nomap, auto, private, container:NAME, ns:PATH",
        )
    if not colon:
        return UserNamespace(mode)
    if mode == "keep-id":
        return _keep_id(option, text, rest)
    if mode == "auto":
        return _auto(option, text, rest)
    raise InvalidValue(option, text, f"the mode '{mode}' takes no options")


def _keep_id(option: str, text: str, rest: str) -> UserNamespace:
    given: dict[str, int] = {}
    for word in rest.split(","):
        name, equals, value = word.partition("=")
        if name not in {"uid", "gid", "size"} or not equals or name in given:
            raise InvalidValue(
                option, text, "the options of keep-id are uid=UID, gid=GID and size=COUNT"
            )
        lowest = 1 if name == "size" else 0
        given[name] = parse_integer(value, f"{option} keep-id {name}", lowest, HIGHEST_ID)
    return UserNamespace(
        "keep-id", uid=given.get("uid"), gid=given.get("gid"), size=given.get("size", 0)
    )


def _auto(option: str, text: str, rest: str) -> UserNamespace:
    size = 0
    maps: dict[str, list[IdMapping]] = {"uidmapping": [], "gidmapping": []}
    for word in rest.split(","):
        name, equals, value = word.partition("=")
        if name == "size" and equals and not size:
            size = parse_integer(value, f"{option} auto size", 1, HIGHEST_ID)
        elif name in maps and equals:
            maps[name].append(
                parse_id_mapping(value, f"{option} auto {name}").replace(extends=True)
            )
        else:
            grammar = (
                "the options of auto are size=COUNT, uidmapping=C:H:COUNT and gidmapping=C:H:COUNT"
            )
            raise InvalidValue(option, text, grammar)
    return UserNamespace(
        "auto", size=size, uid_maps=tuple(maps["uidmapping"]), gid_maps=tuple(maps["gidmapping"])
    )


def parse_id_mapping(text: str, option: str) -> IdMapping:
    """`[+][u][g]INSIDE:[@]OUTSIDE[:COUNT]`, one value of --uidmap or --gidmap."""
    rest, marks = text, ""
    while rest[:1] in {"+", "u", "g"} and rest[:1] not in marks:
        marks, rest = marks + rest[0], rest[1:]
    fields = rest.split(":")
    if len(fields) not in {2, 3}:
        raise InvalidValue(option, text, "CONTAINER_ID:FROM_ID[:COUNT], such as 0:1:65536")
    outside = fields[1].removeprefix("@")
    try:
        count = parse_integer(fields[2], option, 1, HIGHEST_ID) if len(fields) == 3 else 1
        first = parse_integer(fields[0], option, 0, HIGHEST_ID + 1 - count)
        start = parse_integer(outside, option, 0, HIGHEST_ID + 1 - count)
    except InvalidValue as error:
        raise InvalidValue(
            option,
            text,
            f"CONTAINER_ID:FROM_ID[:COUNT] are numbers up to {HIGHEST_ID}, the sums too",
        ) from error
    return IdMapping(
        first,
        start,
        count,
        extends="+" in marks,
        on_host=outside != fields[1],
        only={frozenset("u"): "u", frozenset("g"): "g"}.get(frozenset(marks) - {"+"}, ""),
    )


def parse_user_namespace(
    userns: str, uid_maps: Iterable[str] = (), gid_maps: Iterable[str] = ()
) -> UserNamespace:
    """--userns, --uidmap and --gidmap together. Maps given for one kind of id only hold for the other too."""
    uids = [parse_id_mapping(text, "--uidmap") for text in uid_maps]
    gids = [parse_id_mapping(text, "--gidmap") for text in gid_maps]
    if not uids and not gids:
        return parse_userns(userns)
    if userns:
        raise UsageError("--userns and --uidmap or --gidmap exclude each other")
    if uids and gids:
        for option, mappings, other in (("--uidmap", uids, "g"), ("--gidmap", gids, "u")):
            for mapping in mappings:
                if mapping.only == other:
                    raise InvalidValue(option, str(mapping), f"'{other}' has its own option here")
    else:
        both = uids or gids
        uids = [mapping for mapping in both if mapping.only != "g"]
        gids = [mapping for mapping in both if mapping.only != "u"]
    return UserNamespace("map", uid_maps=tuple(uids), gid_maps=tuple(gids))


def effective_maps(
    userns: UserNamespace,
    bases: tuple[IdMap, IdMap],
    caller: tuple[int, int],
    *,
    used: Iterable[tuple[int, int]] = (),
    auto_size: int = SMALLEST_AUTO,
) -> tuple[IdMap, IdMap]:
    """The maps (inside, host, count) for uids and gids that the kernel is to be given.

    `bases` are the usual maps (linux/idmap.py, default_maps), `caller` the caller's uid and gid. For "auto": `used` are
    the ranges (start, count) of intermediate ids that other containers have, `auto_size` is how many ids the image
    needs. Not for "container" and "ns", whose map is the other's.

    Raises IdsNotAvailable when the caller has not these ids.
    """
    if userns.mode in {"container", "ns"}:
        raise ValueError(f"the map of '{userns.mode}' is that of the namespace it joins")
    if userns.mode in {"keep-id", "nomap", "auto"} and caller[0] == 0:
        raise Unsupported(
            f"--userns={userns.mode} for root",
            "it is about the ids of an ordinary user",
            hint="run the container as one",
        )
    if userns.mode == "keep-id":
        inside = (userns.uid, userns.gid)
        uids, gids = (
            _keep(base, own if wanted is None else wanted, userns.size)
            for base, own, wanted in zip(bases, caller, inside, strict=True)
        )
        return uids, gids
    if userns.mode == "nomap":
        all_but_caller = [_tidy(_compose(base, 0, 1, _subordinates(base, 1))) for base in bases]
        return all_but_caller[0], all_but_caller[1]
    if userns.mode == "auto":
        size = userns.size or auto_size
        start = userns.start or _free_range(
            min(_subordinates(base, size) for base in bases), size, used
        )
        bases_auto = [_compose(base, 0, start, size) for base in bases]
        return (
            _apply(bases[0], bases_auto[0], userns.uid_maps),
            _apply(bases[1], bases_auto[1], userns.gid_maps),
        )
    return (
        _apply(bases[0], list(bases[0]), userns.uid_maps),
        _apply(bases[1], list(bases[1]), userns.gid_maps),
    )


def check_root(maps: tuple[IdMap, IdMap]) -> None:
    """Raise IdsNotAvailable for explicit maps by which no container can be set up."""
    for option, ids in zip(("--uidmap", "--gidmap"), maps, strict=True):
        if not ids or ids[0][0] != 0:
            raise IdsNotAvailable(
                f"{option} leaves out the id 0, as which the container is set up",
                hint=f"map it as well, for instance to a subordinate id: {option} +0:1:1",
            )


def choose_range(
    userns: UserNamespace,
    bases: tuple[IdMap, IdMap],
    used: Iterable[tuple[int, int]],
    needed: int,
) -> UserNamespace:
    """The user namespace of --userns=auto with the ids that it gets; `needed` is how many, unless it says so itself.

    `used` are the ranges (start, count) that other containers have. Raises IdsNotAvailable.
    """
    size = userns.size or needed
    count = min(_subordinates(base, size) for base in bases)
    return userns.replace(size=size, start=_free_range(count, size, used))


def relative_map(ids: IdMap, base: IdMap) -> IdMap:
    """The extents of `ids` with intermediate ids, those of the map `base`, in the place of the host's.

    Ids of the host that `base` does not have are left out.
    """
    found = []
    for inside, host, count in ids:
        for intermediate, start, length in base:
            first, end = max(host, start), min(host + count, start + length)
            if first < end:
                found.append((inside + first - host, intermediate + first - start, end - first))
    return _tidy(found)


def _keep(base: IdMap, own: int, size: int) -> IdMap:
    """The caller as `own`; the ids below and above it are subordinate ones, in order, as far as they go."""
    available = sum(count for _, _, count in base) - 1
    if size:
        available = min(available, size - 1)
    extents = _compose(base, own, 0, 1)
    if below := min(own, available):
        extents += _compose(base, 0, 1, below)
    if available > own:
        extents += _compose(base, own + 1, own + 1, available - own)
    return _tidy(extents)


def _subordinates(base: IdMap, needed: int) -> int:
    """How many subordinate ids there are; at least `needed`."""
    count = sum(count for _, _, count in base) - 1
    if count < needed:
        raise IdsNotAvailable(
            f"this needs {needed} subordinate ids, and there are {count}",
            hint="add a range to /etc/subuid and /etc/subgid: usermod --add-subuids 100000-165535 "
            "--add-subgids 100000-165535 NAME",
        )
    return count


def _free_range(count: int, size: int, used: Iterable[tuple[int, int]]) -> int:
    """The first of `size` neighbouring intermediate ids from 1 to `count` that nobody uses."""
    start = 1
    for first, length in sorted(used):
        if first >= start + size:
            break
        start = max(start, first + length)
    if start + size - 1 > count:
        raise IdsNotAvailable(
            f"no {size} of the {count} subordinate ids are free for --userns=auto",
            hint="remove containers that were made with --userns=auto, or ask for fewer ids with auto:size=COUNT",
        )
    return start


def _apply(base: IdMap, usual: list[Extent], mappings: Iterable[IdMapping]) -> IdMap:
    """The map that explicit mappings make: those without "+" instead of the usual one, the others on top of it."""
    mappings = tuple(mappings)
    replacing = [mapping for mapping in mappings if not mapping.extends]
    extents = (
        [extent for mapping in replacing for extent in _on_host(base, mapping)]
        if replacing
        else usual
    )
    for mapping in mappings:
        if mapping.extends:
            for extent in _on_host(base, mapping):
                extents = [*_without(extents, extent), extent]
    return _tidy(extents)


def _on_host(base: IdMap, mapping: IdMapping) -> list[Extent]:
    if not mapping.on_host:
        return _compose(base, mapping.inside, mapping.outside, mapping.count)
    turned = tuple((host, inside, count) for inside, host, count in base)
    _compose(
        turned, mapping.inside, mapping.outside, mapping.count
    )  # raises unless the caller has these ids
    return [(mapping.inside, mapping.outside, mapping.count)]


def _compose(base: IdMap, inside: int, intermediate: int, count: int) -> list[Extent]:
    """`count` ids from `inside` on, being the intermediate ones from `intermediate` on, as extents of host ids."""
    extents: list[Extent] = []
    while count > 0:
        for first, host, length in base:
            if first <= intermediate < first + length:
                taken = min(count, first + length - intermediate)
                extents.append((inside, host + intermediate - first, taken))
                break
        else:
            raise IdsNotAvailable(
                f"the id {intermediate} is not among yours, so that {inside} in the container cannot be it",
                hint="see your ranges in /etc/subuid and /etc/subgid",
            )
        inside, intermediate, count = inside + taken, intermediate + taken, count - taken
    return extents


def _without(extents: Iterable[Extent], taken: Extent) -> list[Extent]:
    """The extents less the ids that `taken` maps, on both sides: an id has one meaning inside and one outside."""
    for side in (0, 1):
        rest: list[Extent] = []
        first, end = taken[side], taken[side] + taken[2]
        for extent in extents:
            start, stop = extent[side], extent[side] + extent[2]
            if before := max(0, min(stop, first) - start):
                rest.append((extent[0], extent[1], before))
            if after := max(0, stop - max(start, end)):
                skipped = extent[2] - after
                rest.append((extent[0] + skipped, extent[1] + skipped, after))
        extents = rest
    return list(extents)


def _tidy(extents: Iterable[Extent]) -> IdMap:
    """Sorted, neighbours joined, and checked as the kernel will: no id twice, not too many extents."""
    joined: list[Extent] = []
    for extent in sorted(extents):
        if joined:
            inside, host, count = joined[-1]
            if (inside + count, host + count) == extent[:2]:
                joined[-1] = (inside, host, count + extent[2])
                continue
        joined.append(extent)
    for side, where in ((0, "in the container"), (1, "of the host")):
        ends = sorted((extent[side], extent[side] + extent[2]) for extent in joined)
        for (_, end), (start, _) in pairwise(ends):
            if start < end:
                raise IdsNotAvailable(f"the id {start} {where} is mapped twice")
    if len(joined) > _MOST_EXTENTS:
        raise IdsNotAvailable(
            f"the map has {len(joined)} pieces; the kernel allows {_MOST_EXTENTS}"
        )
    return tuple(joined)
