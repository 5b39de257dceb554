"""The grammar of --mount: type=TYPE,KEY=VALUE,... with podman's and docker's keys, quoted as one line of CSV.

Source: podman-run(1), "--mount"; docker's reference for `docker run --mount` and docker's pages about bind mounts,
volumes and tmpfs mounts.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, Unsupported
from pod.base.units import parse_boolean, parse_integer, parse_mode
from pod.spec.mount_words import (
    CONSISTENCY,
    FLAGS,
    HIGHEST_ID,
    PROPAGATIONS,
    Words,
    check_volume_name,
    clean_source,
    clean_target,
    idmap_refused,
    take_tmpfs_word,
)
from pod.spec.mounts import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

OPTION = "--mount"
KINDS = ("bind", "volume", "tmpfs", "ramfs", "image", "devpts", "glob")
_ALIASES = {
    "src": "source",
    "dst": "target",
    "destination": "target",
    "readonly": "ro",
    "recursive-readonly": "rro",
    "readwrite": "rw",
    "chown": "U",
    "volume-subpath": "subpath",
    "image-subpath": "subpath",
    "volume-nocopy": "nocopy",
}
_WITH_OWNER = frozenset(
    ("bind", "glob", "volume", "tmpfs", "ramfs")
)  # the types that know U and flags
_RECURSION = ("enabled", "disabled", "writable", "readonly")


def parse_mount(text: str) -> Mount:
    """The mount that `--mount TEXT` asks for; a volume when no type is given."""
    given: dict[str, str | None] = {}
    for field in _split_csv(text):
        name, equals, value = field.partition("=")
        name = _ALIASES.get(name.strip(), name.strip())
        if name in given:
            raise InvalidValue(OPTION, text, f"'{name}' is given twice")
        given[name] = value if equals else None
    kind = given.pop("type", "volume") or ""
    if kind in {"npipe", "cluster"}:
        raise Unsupported(f"{OPTION} type={kind}", "it belongs to Windows or to Swarm")
    if kind not in KINDS:
        raise InvalidValue(OPTION, text, f"the type is one of {', '.join(KINDS)}")
    keys = _Keys(text, kind, given)
    mount = keys.mount()
    if given:
        raise InvalidValue(OPTION, text, f"'{min(given)}' is not a key of type={kind}")
    return mount


class _Keys:
    """The keys of one --mount. Whoever understands a key takes it out of `given`; what remains is an error."""

    def __init__(self, text: str, kind: str, given: dict[str, str | None]) -> None:
        self.text, self.kind, self.given = text, kind, given
        self.words = Words(OPTION, text)

    def mount(self) -> Mount:
        by_kind: dict[str, Callable[[Mount], Mount]] = {
            "bind": self._bind,
            "glob": self._bind,
            "volume": self._volume,
            "image": self._image,
            "tmpfs": self._tmpfs,
            "ramfs": self._tmpfs,
            "devpts": self._devpts,
        }
        return by_kind[self.kind](self._common())

    def _common(self) -> Mount:
        """What every type has: where, and whether it can be written; and the bare flags of most."""
        target = self._text("target")
        if not target and self.kind != "glob":
            raise self._invalid("the key 'destination' is missing")
        read_only = self._access()
        if self.kind in _WITH_OWNER:
            self._flags()
        return Mount(
            self.kind,
            clean_target(OPTION, self.text, target) if target else "",
            source=self._text("source"),
            read_only=read_only,
            chown=self.kind in _WITH_OWNER and self._boolean("U"),
            origin=f"{OPTION} {self.text}",
        )

    def _flags(self) -> None:
        """suid, dev, exec and their opposites, bare or with a truth value: 'exec=false' is 'noexec'."""
        for name in FLAGS.keys() & self.given.keys():
            opposite = FLAGS[name] if name.startswith("no") else f"no{name}"
            self.words.take_flag(name if self._boolean(name) else opposite)

    def _access(self) -> bool:
        """ro, rro and rw, which may contradict one another; images are read-only unless asked otherwise."""
        default = self.kind == "image"
        said = []
        for name, meaning in (("ro", True), ("rro", True), ("rw", False)):
            if name in self.given:
                said.append(self._boolean(name) is meaning)
        if len(set(said)) > 1:
            raise self._invalid("'ro' and 'rw' exclude each other")
        return said[0] if said else default

    def _bind(self, mount: Mount) -> Mount:
        self._need_source(mount)
        self._refuse_idmap()
        if (consistency := self._text("consistency")) not in CONSISTENCY | {"", "default"}:
            raise self._invalid(f"consistency '{consistency}' does not exist")
        for word in [word for word in self.given if self.given[word] is None]:
            if self.words.take_propagation(word):
                del self.given[word]
        recursive = not self._boolean("bind-nonrecursive")
        recursion = self._text("bind-recursive") or "enabled"
        if recursion not in _RECURSION:
            raise self._invalid(f"bind-recursive is one of {', '.join(_RECURSION)}")
        if recursion in {"writable", "readonly"} and not mount.read_only:
            raise self._invalid(f"bind-recursive={recursion} needs readonly")
        return mount.replace(
            source=clean_source(OPTION, self.text, mount.source),
            options=self.words.flags("nosuid", "nodev"),
            propagation=self._propagation(),
            recursive=recursive and recursion != "disabled",
            recursive_read_only=recursion != "writable",
            relabel=self._relabel(),
            dereference=not self._boolean("no-dereference"),
        )

    def _volume(self, mount: Mount) -> Mount:
        if self.given.get("volume-driver") == "local":
            del self.given["volume-driver"]
        for name in ("volume-opt", "volume-label", "volume-driver"):
            if name in self.given:
                why = "a volume gets its options when it is created"
                raise Unsupported(f"{OPTION} key '{name}'", why, hint="pod volume create --help")
        self._refuse_idmap()
        if mount.source:
            check_volume_name(OPTION, self.text, mount.source)
        return mount.replace(
            options=self.words.flags("nosuid", "nodev"),
            relabel=self._relabel(),
            copy=not self._boolean("nocopy"),
            subpath=self._subpath(),
        )

    def _image(self, mount: Mount) -> Mount:
        self._need_source(mount)
        self._refuse_idmap()
        return mount.replace(options=("nosuid", "nodev"), subpath=self._subpath())

    def _tmpfs(self, mount: Mount) -> Mount:
        self._need_no_source(mount)
        options = self._text("tmpfs-options").replace(";", ",")
        for word in options.split(",") if options else []:
            if not (self.words.take_flag(word) or take_tmpfs_word(self.words, word)):
                raise self._invalid(f"'{word}' is not an option of tmpfs")
        for name, value in list(self.given.items()):
            plain = name.removeprefix("tmpfs-")
            if take_tmpfs_word(self.words, plain if value is None else f"{plain}={value}"):
                del self.given[name]
        return mount.replace(
            read_only=mount.read_only or self.words.read_only,
            options=self.words.flags("nosuid", "nodev", "noexec") + tuple(self.words.data),
            chown=mount.chown or self.words.chown,
            copy=self.words.copy,
        )

    def _devpts(self, mount: Mount) -> Mount:
        self._need_no_source(mount)
        data = []
        for name in ("uid", "gid"):
            if value := self._text(name):
                data.append(f"{name}={parse_integer(value, f'{OPTION} key {name}', 0, HIGHEST_ID)}")
        if value := self._text("mode"):
            data.append(f"mode={parse_mode(value, f'{OPTION} key mode', highest=0o777):o}")
        if value := self._text("max"):
            data.append(f"max={parse_integer(value, f'{OPTION} key max', 1, 1048576)}")
        return mount.replace(options=("nosuid", "noexec", *data))

    def _need_source(self, mount: Mount) -> None:
        if not mount.source:
            raise self._invalid(f"type={self.kind} needs the key 'source'")

    def _need_no_source(self, mount: Mount) -> None:
        if mount.source:
            raise self._invalid(f"type={self.kind} has no source")

    def _refuse_idmap(self) -> None:
        if self.given.pop("idmap", "false") not in {"false", "0"}:
            raise idmap_refused(f"{OPTION} key 'idmap'")

    def _propagation(self) -> str:
        value = self._text("bind-propagation")
        if value and not self.words.take_propagation(value):
            raise self._invalid(f"bind-propagation is one of {', '.join(sorted(PROPAGATIONS))}")
        return self.words.propagation or "rprivate"

    def _relabel(self) -> str:
        for word in ("z", "Z"):
            if self._boolean(word):
                self.words.take_label(word)
        value = self._text("relabel") or self.words.relabel
        if value not in {"", "shared", "private"}:
            raise self._invalid("relabel is shared or private")
        return value

    def _subpath(self) -> str:
        value = self._text("subpath").strip("/")
        if ".." in value.split("/") or "\0" in value:
            raise self._invalid("a subpath stays inside: it has no '..'")
        return value

    def _text(self, name: str) -> str:
        value = self.given.pop(name, "")
        if value is None:
            raise self._invalid(f"'{name}' needs a value: {name}=...")
        return value

    def _boolean(self, name: str) -> bool:
        if name not in self.given:
            return False
        value = self.given.pop(name)
        return True if value is None else parse_boolean(value, f"{OPTION} key {name}")

    def _invalid(self, grammar: str) -> InvalidValue:
        return InvalidValue(OPTION, self.text, grammar)


def _split_csv(text: str) -> list[str]:
    """The fields of one line of CSV (RFC 4180): one in double quotes may have commas, and "" for a quote."""
    fields: list[str] = []
    position = 0
    while position < len(text):
        if text[position] == '"':
            field, position = _quoted(text, position + 1)
        else:
            end = text.find(",", position)
            end = len(text) if end < 0 else end
            field, position = text[position:end], end
            if '"' in field:
                raise InvalidValue(OPTION, text, "a field is quoted as a whole: '\"src=/a,b\"'")
        if field:
            fields.append(field)
        position += 1  # the comma
    return fields


def _quoted(text: str, position: int) -> tuple[str, int]:
    """The field whose opening quote stands before `position`, and the position after its closing quote."""
    parts = []
    while True:
        end = text.find('"', position)
        if end < 0:
            raise InvalidValue(OPTION, text, "the closing quote is missing")
        parts.append(text[position:end])
        if text[end + 1 : end + 2] != '"':
            break
        parts.append('"')
        position = end + 2
    if text[end + 1 : end + 2] not in {"", ","}:
        raise InvalidValue(OPTION, text, "a comma follows the closing quote")
    return "".join(parts), end + 1
