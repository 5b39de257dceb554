"""The grammars of --userns, --uidmap and --gidmap.

Source: podman-run(1), those options.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, UsageError
from pod.base.units import parse_integer
from pod.spec.namespace_option import split_joined
from pod.spec.userns import HIGHEST_ID, IdMapping, UserNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


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
