"""Identifiers: 64-digit ids, their short form; what a name is, and names for containers that were not given one."""

from __future__ import annotations

import os

ID_LENGTH = 64
SHORT_LENGTH = 12
_HEX = frozenset("0123456789abcdef")
_NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")

_ADJECTIVES = (
    "able amber ample azure bold brave brief bright brisk calm candid civil clear clever crisp daring deft eager early "
    "easy fair fancy fine firm fleet fond frank free fresh gentle glad golden grand hardy honest humble jolly keen "
    "kind lively loyal lucid lucky merry mild modest neat nimble noble open patient plain polite prompt proud pure "
    "quick quiet ready rosy royal sage sane sharp silent silver simple smart snug sober solid spry stable steady "
    "sunny sure swift tidy tough true trusty upbeat vivid warm wise witty young zesty"
).split()
_NOUNS = (
    "acorn alder anchor anvil aspen badger beacon beaver birch bison bramble brook canoe canyon cedar cliff clover "
    "comet condor copper coral cove crane creek cricket delta dune eagle ember falcon fern finch fjord flint forge "
    "fox glacier grove harbor hawk hazel heron holly ibis inlet iris island ivy jasper juniper kestrel lagoon lantern "
    "lark laurel linden lotus lynx maple marten meadow mesa moss otter owl panda pebble pine plover poppy quartz "
    "rabbit raven reef ridge river robin rowan sable salmon sparrow spruce stork summit swan thistle tulip walnut "
    "willow wren yarrow"
).split()


def new_id() -> str:
    """64 random hexadecimal digits."""
    return os.urandom(ID_LENGTH // 2).hex()


def short(full_id: str) -> str:
    """The first 12 digits, without an algorithm prefix such as "sha256:"."""
    return full_id.rpartition(":")[2][:SHORT_LENGTH]


def looks_like_id(text: str) -> bool:
    """Whether `text` can be an id or the beginning of one."""
    return 0 < len(text) <= ID_LENGTH and _HEX.issuperset(text)


def is_id(text: str) -> bool:
    """Whether `text` is a whole id."""
    return len(text) == ID_LENGTH and _HEX.issuperset(text)


def is_name(text: str) -> bool:
    """Whether containers, volumes and networks can have this name."""
    return bool(text) and text[0] not in "_.-" and _NAME_CHARACTERS.issuperset(text)


def random_name() -> str:
    """A name such as "keen_otter". It may be taken: whoever stores it checks, and asks again."""
    noise = int.from_bytes(os.urandom(4), "little")
    noun, adjective = divmod(noise, len(_ADJECTIVES))
    return f"{_ADJECTIVES[adjective]}_{_NOUNS[noun % len(_NOUNS)]}"
