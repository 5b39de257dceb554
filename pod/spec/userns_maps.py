"""The id maps that follow from what --userns, --uidmap and --gidmap ask for, and from the ids that the caller has.

Source: user_namespaces(7), subuid(5).
"""

from __future__ import annotations

from itertools import pairwise

from pod.base.errors import PodError, Unsupported
from pod.spec.userns import SMALLEST_AUTO, IdMapping, UserNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.linux.idmap import Extent, IdMap

_MOST_EXTENTS = 340  # user_namespaces(7)


class IdsNotAvailable(PodError):
    """A map needs ids that the caller does not have."""


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
