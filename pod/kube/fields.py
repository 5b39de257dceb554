"""Reading a table of a document field by field, so that what nobody has asked for is named with its line."""

from __future__ import annotations

from pod.base.errors import InvalidValue, PodError
from pod.base.ids import is_name
from pod.base.suggest import did_you_mean
from pod.spec import yaml_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_Texts = tuple[str, ...]
_MOST = 2**31 - 1


def check_name(text: str) -> None:
    """Raise ValueError unless containers and volumes can have this name."""
    if not is_name(text):
        raise ValueError(
            "a name: letters, digits, '_', '.' and '-', beginning with a letter or digit"
        )


class KubeError(PodError):
    """Something in a document that cannot be played. Its message names file, line and field."""


class Notes:
    """What of the documents has no effect on one machine, each said once."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def add(self, text: str) -> None:
        if text not in self.said:
            self.said.append(text)


class Fields:
    """One table: `path` is where it is in its document, such as "spec.containers[0]".

    Ask for each field that is known, then call `end`, which raises KubeError for any other.
    """

    def __init__(self, table: Any, path: str, source: str, notes: Notes, line: int = 0) -> None:
        self.path, self.source, self.notes, self._line = path, source, notes, line
        if not isinstance(table, dict):
            self.wrong(f"'{path or 'the document'}' is not a table of fields")
        self._table: dict[Any, Any] = table
        self._known: list[str] = []

    def has(self, key: str) -> bool:
        """Whether the field is there and is not null."""
        self._known.append(key)
        return self._table.get(key) is not None

    def text(self, key: str, default: str = "") -> str:
        value = self._get(key)
        if value is None:
            return default
        if isinstance(value, (dict, list)):
            self.wrong(f"'{self._at(key)}' is not a text", key)
        if isinstance(value, bool):
            return "true" if value else "false"
        if "\0" in str(value):
            self.wrong(f"'{self._at(key)}' has a zero byte in it", key)
        return str(value)

    def words(self, key: str) -> str:
        """A text that YAML must have read as one: a bare 'yes' or 8080 in its place is a mistake that is said."""
        value = self._get(key)
        if value is not None and not isinstance(value, str):
            self.wrong(f"'{self._at(key)}' is {value}, not a text; write it in quotes", key)
        return str(value or "")

    def needed(self, key: str) -> str:
        if not (value := self.text(key)):
            self.wrong(f"'{self._at(key)}' is missing")
        return value

    def number(self, key: str, default: int | None = None) -> int | None:
        value = self._get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(f"'{self._at(key)}' is {value!r}, not a whole number", key)
        if not -_MOST <= value <= _MOST:
            self.wrong(f"'{self._at(key)}' is {value}; numbers up to {_MOST} can be kept", key)
        return int(value)

    def identity(self, key: str) -> str:
        """The number of a user or group as a text; "" where there is none."""
        number = self.number(key)
        if number is not None and number < 0:
            self.wrong(f"'{self._at(key)}' is {number}, which is no id", key)
        return "" if number is None else str(number)

    def truth(self, key: str, default: bool = False) -> bool:
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.wrong(f"'{self._at(key)}' is {value!r}, not true or false", key)
        return bool(value)

    def choice(self, key: str, allowed: _Texts, default: str) -> str:
        value = self.text(key, default)
        if value not in allowed:
            self.wrong(f"'{self._at(key)}' is '{value}'; it can be {', '.join(allowed)}", key)
        return value

    def texts(self, key: str, parse: Callable[[str], Any] | None = None) -> _Texts:
        """The texts of a list, each as `parse` takes it; its errors get the place."""
        found = []
        for number, value in enumerate(self._list(key)):
            text = self._plain(value, f"{key}[{number}]")
            if "\0" in text:
                self.wrong(f"'{self._at(key)}[{number}]' has a zero byte in it", key)
            if parse is not None:
                self._parsed(text, f"{key}[{number}]", key, parse)
            found.append(text)
        return tuple(found)

    def valid(self, key: str, parse: Callable[[str], Any]) -> str:
        """The text of a field, which `parse` takes; "" where it is not there."""
        if text := self.text(key):
            self._parsed(text, key, key, parse)
        return text

    def pairs(self, key: str) -> dict[str, str]:
        """A table of texts, as labels are."""
        value = self._get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.wrong(f"'{self._at(key)}' is not a table", key)
        return {
            str(name): "" if one is None else self._plain(one, f"{key}.{name}")
            for name, one in value.items()
        }

    def table(self, key: str) -> Fields:
        """The table in a field; an empty one where it is not there."""
        value = self._get(key)
        return self._inner({} if value is None else value, key, self.line(key))

    def tables(self, key: str) -> list[Fields]:
        values = self._list(key)
        return [
            self._inner(value, f"{key}[{n}]", self._item(values, n))
            for n, value in enumerate(values)
        ]

    def raw(self, key: str) -> Any:
        return self._get(key)

    def ignore(self, why: str, *keys: str) -> None:
        """These fields mean nothing on one machine, which is said where they are there; without `why`, silently."""
        for key in keys:
            if self.has(key) and why:
                self.notes.add(f"{self.where(key)}: '{self._at(key)}' has no effect: {why}")

    def refuse(self, why: str, *keys: str) -> None:
        for key in keys:
            if self.has(key):
                self.wrong(f"'{self._at(key)}' cannot be played: {why}", key)

    def end(self) -> None:
        """Raise KubeError for the first field that nobody knows."""
        for key in self._table:
            if key not in self._known:
                ending = did_you_mean(str(key), self._known)
                self.wrong(f"'{self._at(str(key))}' is not a known field{ending}", str(key))

    def checked(self, key: str, parse: Callable[[str], Any]) -> Any:
        """The text of a field as `parse` reads it; its error gets the place."""
        return self._parsed(self.text(key), key, key, parse)

    def _parsed(self, text: str, shown: str, key: str, parse: Callable[[str], Any]) -> Any:
        try:
            return parse(text)
        except InvalidValue as error:
            self.wrong(f"'{self._at(shown)}' is '{text}', which is not valid: {error.grammar}", key)
        except PodError as error:
            self.wrong(f"'{self._at(shown)}': {error.message}", key, hint=error.hint)
        except ValueError as error:
            self.wrong(f"'{self._at(shown)}' is '{text}', which is not {error}", key)

    def wrong(self, what: str, key: str = "", hint: str | None = None) -> NoReturn:
        """Raise KubeError."""
        what = what.replace("\n", "\\n")
        raise KubeError(f"{self.where(key)}: {what}", hint=hint)

    def where(self, key: str = "") -> str:
        line = self.line(key)
        return f"{self.source}, line {line}" if line else self.source

    def line(self, key: str = "") -> int:
        found = yaml_text.line_of(self._table, key) if key and hasattr(self, "_table") else 0
        return found or self._line

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _get(self, key: str) -> Any:
        self._known.append(key)
        return self._table.get(key)

    def _list(self, key: str) -> list[Any]:
        value = self._get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(f"'{self._at(key)}' is not a list", key)
        return value

    def _item(self, values: Any, number: int) -> int:
        try:
            return int(values.lc.item(number)[0]) + 1
        except (AttributeError, KeyError, TypeError):
            return self._line

    def _inner(self, value: Any, key: str, line: int) -> Fields:
        return Fields(value, self._at(key), self.source, self.notes, line)

    def _plain(self, value: Any, key: str) -> str:
        if isinstance(value, (dict, list)) or value is None:
            self.wrong(f"'{self._at(key)}' is not a text", key.partition("[")[0].partition(".")[0])
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)
