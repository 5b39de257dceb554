"""Option words that -v, --tmpfs and --mount share: flags, propagation, labels, tmpfs options; and the paths in them."""

from __future__ import annotations

import os

from pod.base.errors import InvalidValue, Unsupported
from pod.base.ids import is_name
from pod.base.units import parse_integer, parse_mode, parse_percent, parse_size

PROPAGATIONS = frozenset(
    "shared rshared slave rslave private rprivate unbindable runbindable".split()
)
CONSISTENCY = frozenset(
    ("consistent", "cached", "delegated")
)  # docker on a Mac; nothing to do here
FLAGS = {word: word.removeprefix("no") for word in "nosuid suid nodev dev noexec exec".split()}
_ACCESS = frozenset(("ro", "rw", "rro"))
HIGHEST_ID = 4294967294  # the last number is -1 to the kernel: "no change"


class Words:
    """Option words collected, each choice made at most one way: 'ro' and 'rw' together are an error."""

    def __init__(self, option: str, text: str) -> None:
        self.option, self.text = option, text
        self.chosen: dict[str, str] = {}  # by choice: "ro" -> "rw", "exec" -> "noexec", ...
        self.data: list[str] = []
        self.chown = False

    @property
    def read_only(self) -> bool:
        return self.chosen.get("ro") in {"ro", "rro"}

    @property
    def propagation(self) -> str:
        return self.chosen.get("propagation", "")

    @property
    def recursive(self) -> bool:
        return self.chosen.get("bind", "rbind") == "rbind"

    @property
    def relabel(self) -> str:
        return {"z": "shared", "Z": "private"}.get(self.chosen.get("z", ""), "")

    @property
    def copy(self) -> bool:
        return not self.chosen.get("copy", "").startswith("no")

    def flags(self, *defaults: str) -> tuple[str, ...]:
        """The flags that hold: the defaults, unless the opposite was asked for, and those asked for."""
        kept = []
        for flag in ("nosuid", "nodev", "noexec"):
            word = self.chosen.get(flag.removeprefix("no"))
            if word == flag or (word is None and flag in defaults):
                kept.append(flag)
        return tuple(kept)

    def choose(self, choice: str, word: str) -> bool:
        if self.chosen.setdefault(choice, word) != word:
            other = self.chosen[choice]
            raise InvalidValue(self.option, self.text, f"'{other}' and '{word}' exclude each other")
        return True

    def take_flag(self, word: str) -> bool:
        if word in FLAGS:
            return self.choose(FLAGS[word], word)
        return word in _ACCESS and self.choose("ro", word)

    def take_propagation(self, word: str) -> bool:
        return word in PROPAGATIONS and self.choose("propagation", word)

    def take_label(self, word: str) -> bool:
        return word in {"z", "Z"} and self.choose("z", word)

    def take_volume_word(self, word: str) -> bool:
        if word == "U":
            self.chown = True
            return True
        if word in {"copy", "nocopy"}:
            return self.choose("copy", word)
        if word in {"bind", "rbind"}:
            return self.choose("bind", word)
        return (
            word in CONSISTENCY
            or self.take_flag(word)
            or self.take_propagation(word)
            or self.take_label(word)
        )


_TMPFS_COUNTS = frozenset(("nr_blocks", "nr_inodes"))
_TMPFS_PLAIN = frozenset(
    "noswap inode32 inode64 noatime nodiratime relatime strictatime sync dirsync".split()
)
_TMPFS_HUGE = frozenset(("never", "always", "within_size", "advise", "deny", "force"))


def take_tmpfs_word(words: Words, word: str) -> bool:
    """Collect one option of tmpfs(5), such as "size=64m"; False when it is none. Numbers are kept in plain digits."""
    name, equals, value = word.partition("=")
    what = f"{words.option} option {name}"
    if word in {"tmpcopyup", "notmpcopyup"}:
        return words.choose("copy", word)
    if word == "U":
        words.chown = True
    elif name == "size" and equals:
        words.data.append(f"size={_tmpfs_size(value, what)}")
    elif name == "mode" and equals:
        words.data.append(f"mode={parse_mode(value, what):o}")
    elif name in _TMPFS_COUNTS and equals:
        words.data.append(f"{name}={parse_size(value, what)}")
    elif name in {"uid", "gid"} and equals:
        words.data.append(f"{name}={parse_integer(value, what, 0, HIGHEST_ID)}")
    elif (name == "huge" and value in _TMPFS_HUGE) or word in _TMPFS_PLAIN:
        words.data.append(word)
    else:
        return False
    return True


def _tmpfs_size(value: str, what: str) -> str:
    if value.endswith("%"):
        parse_percent(value, what)
        return value
    return str(parse_size(value, what))


def clean_target(option: str, text: str, path: str) -> str:
    """The destination `path` of the mount `text`, absolute and without '.' and '..' steps."""
    if not path.startswith("/") or "\0" in path:
        raise InvalidValue(option, text, f"the destination '{path}' is not an absolute path")
    cleaned = _clean(path)
    if cleaned == "/":
        raise InvalidValue(option, text, "the destination cannot be the root directory")
    return cleaned


def clean_source(option: str, text: str, path: str) -> str:
    """The host path `path`; a relative one begins with './' or '../', as the mark that it is a path."""
    if "\0" in path:
        raise InvalidValue(option, text, "a path has no NUL byte")
    if path.startswith("~"):
        raise InvalidValue(option, text, "the shell did not expand '~': write $HOME")
    return _clean(path)


def _clean(path: str) -> str:
    cleaned = os.path.normpath(path)
    if cleaned.startswith("/"):
        return "/" + cleaned.lstrip("/")  # POSIX lets exactly two slashes mean something else
    is_marked = cleaned in {".", ".."} or cleaned.startswith("../")
    return cleaned if is_marked else "./" + cleaned


def check_volume_name(option: str, text: str, name: str) -> None:
    """Raise InvalidValue for what is neither a path nor a volume's name."""
    if not is_name(name):
        raise InvalidValue(
            option,
            text,
            f"'{name}' is neither a path (it would begin with / or .) nor a volume's name (letters, digits and _.-)",
        )


def idmap_refused(what: str) -> Unsupported:
    """The error for every spelling of an id-mapped mount."""
    return Unsupported(
        what,
        "the kernel lets only the real root make id-mapped mounts",
        hint="choose who owns the files with --userns=keep-id:uid=UID,gid=GID",
    )
