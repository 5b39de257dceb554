"""`Record`: the base of pod's own values: typed, frozen, compared by content, with JSON in and out.

It is what a frozen dataclass would be. The standard `dataclasses` module imports `inspect`, 8 ms of a 40 ms command,
and costs half a millisecond for every class; a Record costs some microseconds. mypy sees the same thing
(PEP 681, dataclass transforms): fields in order, defaults, keyword arguments, no assignment.

Defaults are shared between instances, so they must be immutable: tuples, not lists. Dictionaries as values are
allowed and treated as read-only by everybody.
"""

from __future__ import annotations

TYPE_CHECKING = False  # mypy takes it for true; importing `typing` costs 3 ms on the path of run
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, ClassVar

    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_: object) -> Any:
        return lambda cls: cls


_MISSING = object()


@dataclass_transform(frozen_default=True, eq_default=True)
class Record:
    """Subclass it with annotated fields:

        class Port(Record):
            container: int
            host: int = 0

    `nested` names the fields that hold other records, or tuples of them, so that `from_json` can build them:

            nested: ClassVar = {"ports": Port}

    A path such as "pod.spec.health.HealthConfig" in the class's place is imported when the first document has the
    field: for what few documents have.
    """

    nested: ClassVar[Mapping[str, type[Record] | str]] = {}
    _fields: ClassVar[tuple[str, ...]] = ()
    _names: ClassVar[frozenset[str]] = frozenset()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        fields, defaults = list(cls._fields), dict(cls._defaults)
        for name, annotation in cls.__annotations__.items():
            if str(annotation).startswith("ClassVar"):
                continue
            if name not in fields:
                fields.append(name)
            if name in cls.__dict__:
                defaults[name] = cls.__dict__[name]
        cls._fields, cls._names, cls._defaults = tuple(fields), frozenset(fields), defaults

    def __init__(self, *args: Any, **given: Any) -> None:
        values = self.__dict__
        values.update(self._defaults)
        if args:
            fields = self._fields
            if len(args) > len(fields):
                raise TypeError(f"{type(self).__name__}: too many positional values")
            if given and not given.keys().isdisjoint(fields[: len(args)]):
                twice = sorted(given.keys() & set(fields[: len(args)]))
                raise TypeError(f"{type(self).__name__}: {', '.join(twice)} given twice")
            values.update(zip(fields, args, strict=False))
        values.update(given)
        if values.keys() != self._names:
            missing = [name for name in self._fields if name not in values]
            unknown = [name for name in values if name not in self._fields]
            raise TypeError(f"{type(self).__name__}: missing {missing}, unknown {unknown}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot set '{name}'")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot delete '{name}'")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__[name] for name in self._fields))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={self.__dict__[name]!r}"
            for name in self._fields
            if self.__dict__[name] != self._defaults.get(name, _MISSING)
        )
        return f"{type(self).__name__}({shown})"

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return type(self)(**{**self.__dict__, **changes})

    def to_json(self) -> dict[str, Any]:
        """The fields that differ from their defaults, as JSON values. `from_json` is the inverse."""
        defaults = self._defaults
        return {
            name: _plain(value)
            for name, value in self.__dict__.items()
            if value != defaults.get(name, _MISSING)
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The record in `document`. Fields that this version does not know are left out.

        Raises TypeError when a field without a default is missing.
        """
        values: dict[str, Any] = {}
        for name in cls._fields:
            if name not in document:
                continue
            value, kind = document[name], _class_of(cls.nested.get(name))
            if isinstance(value, list):
                value = tuple(kind.from_json(item) if kind else _frozen(item) for item in value)
            elif kind is not None and value is not None:
                value = kind.from_json(value)
            values[name] = value
        return cls(**values)


def _class_of(kind: type[Record] | str | None) -> type[Record] | None:
    if not isinstance(kind, str):
        return kind
    module, _, name = kind.rpartition(".")
    found: type[Record] = getattr(__import__(module, fromlist=(name,)), name)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, tuple | list | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _frozen(value: Any) -> Any:
    """Lists inside lists become tuples again, as they were in the record."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
