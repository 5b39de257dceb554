"""Files of variables: `.env`, --env-file, and `env_file` of services.

Source: the Compose specification, 05-services, "env_file", "env_file format". A line is NAME=VALUE, NAME: VALUE,
`export NAME=VALUE`, or NAME alone, which takes the value over from the environment. 'Single quotes' are taken as they
are; in "double quotes" a backslash with n, t, a quote and the like is read, and variables are filled in, as in values
without quotes, where a comment begins with ` #`. Quoted values may go over several lines. With the format `raw`, all
that stands behind = is the value.
"""

from __future__ import annotations

import re

from pod.compose.errors import FileError
from pod.compose.interpolate import Malformed, Unset, substitute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE = re.compile(r"[ \t]*(?:export[ \t]+)?([a-zA-Z_][a-zA-Z0-9_.\-]*)[ \t]*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}


def parse(
    text: str, name: str, environment: Mapping[str, str], *, raw: bool = False
) -> dict[str, str | None]:
    """The variables of a file; None for one that is not set here either. `name` is for messages. Raises FileError.

    Variables in values are those of `environment`, then those above them in the file.
    """
    return _Reader(text.removeprefix("\ufeff"), name, environment, raw=raw).all()


class _Reader:
    def __init__(self, text: str, name: str, environment: Mapping[str, str], *, raw: bool) -> None:
        self.text = text.replace("\r\n", "\n")
        self.name = name
        self.environment = environment
        self.raw = raw
        self.position = 0
        self.found: dict[str, str | None] = {}

    def all(self) -> dict[str, str | None]:
        while self.position < len(self.text):
            line = self._line()
            if not line.strip() or line.lstrip().startswith("#"):
                self.position += len(line) + 1
                continue
            self._assignment()
        return self.found

    def _line(self) -> str:
        end = self.text.find("\n", self.position)
        return self.text[self.position : end if end >= 0 else len(self.text)]

    def _assignment(self) -> None:
        match = _LINE.match(self.text, self.position)
        if match is None:
            raise self._wrong("a line is NAME=VALUE")
        key = match.group(1)
        self.position = match.end()
        mark = self.text[self.position : self.position + 1]
        if mark in {"", "\n"}:
            self.found[key] = self.environment.get(key)
            self.position += 1
            return
        if mark == "#":
            self.found[key] = self.environment.get(key)
            self.position += len(self._line()) + 1
            return
        if mark not in {"=", ":"}:
            raise self._wrong(f"'=' is expected behind '{key}'")
        self.position += 1
        self.found[key] = self._raw_value() if self.raw else self._value()

    def _raw_value(self) -> str:
        line = self._line()
        self.position += len(line) + 1
        return line

    def _value(self) -> str:
        line = self._line()
        self.position += len(line) - len(line.lstrip(" \t"))
        quote = self.text[self.position : self.position + 1]
        if quote in {"'", '"'}:
            return self._quoted(quote)
        line = self._line()
        self.position += len(line) + 1
        comment = re.search(r"(^|[ \t])#", line)
        return self._filled((line[: comment.start()] if comment else line).strip())

    def _quoted(self, quote: str) -> str:
        start = self.position
        out = []
        self.position += 1
        while True:
            letter = self.text[self.position : self.position + 1]
            if not letter:
                self.position = start
                raise self._wrong("a quote is not closed")
            self.position += 1
            if letter == quote:
                break
            if letter == "\\" and quote == '"':
                escaped = self.text[self.position : self.position + 1]
                self.position += 1
                letter = _ESCAPES.get(escaped, "\\" + escaped)
            elif letter == "\\" and self.text[self.position : self.position + 1] == "'":
                letter = "'"
                self.position += 1
            out.append(letter)
        rest = self._line()
        if rest.strip() and not rest.lstrip().startswith("#"):
            raise self._wrong(f"'{rest.strip()}' follows the closing quote")
        self.position += len(rest) + 1
        value = "".join(out)
        return value if quote == "'" else self._filled(value)

    def _filled(self, value: str) -> str:
        if "$" not in value:
            return value
        known = {key: text for key, text in self.found.items() if text is not None}
        try:
            return substitute(value, {**known, **self.environment})
        except Unset as error:
            raise self._wrong(f"the variable '{error.name}' is needed: {error}") from error
        except Malformed as error:
            raise self._wrong(f"'{value}' cannot be read: {error}") from error

    def _wrong(self, sentence: str) -> FileError:
        at = min(self.position, len(self.text))
        return FileError((self.name, self.text.count("\n", 0, at) + 1), (), sentence)
