"""Go templates for `--format`: compile once, fill in for each row.

Most templates that people type are names in braces, "{{.ID}} {{.Names}}"; those are handled here, without loading
the language.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.template.parser import Tree


class Template:
    """A template that has been read."""

    __slots__ = ("_parts", "_tree", "text")

    def __init__(self, text: str) -> None:
        """Raises TemplateError."""
        self.text = text
        self._parts = _simple_parts(text)
        self._tree = None if self._parts is not None else _parse(text)

    def render(self, data: Any) -> str:
        """The text for one value. Raises TemplateError."""
        if self._parts is not None:
            return self._render_simple(self._parts, data)
        from pod.cli.template.evaluate import evaluate

        assert self._tree is not None
        return evaluate(self._tree, data)

    def headings(self) -> list[str | None]:
        """What stands at the top level: text as it is, ".Name" for an action that is about a field, nothing for one
        that is about none."""
        if self._parts is not None:
            return [
                part if isinstance(part, str) else f".{part[-1]}" if part else None
                for part, _ in self._parts
            ]
        from pod.cli.template.parser import headings

        assert self._tree is not None
        return headings(self._tree)

    def _render_simple(self, parts: list[tuple[str | tuple[str, ...], int]], data: Any) -> str:
        from pod.cli.template.errors import Problem, TemplateError
        from pod.cli.template.values import field_of, text_of

        out = []
        for part, offset in parts:
            if isinstance(part, str):
                out.append(part)
                continue
            value = data
            for name in part:
                try:
                    value = field_of(value, name)
                except Problem as problem:
                    raise TemplateError(str(problem), self.text, offset) from problem
            try:
                out.append(text_of(value))
            except RecursionError as error:
                raise TemplateError("the value is nested too deeply", self.text, offset) from error
        return "".join(out)


def _simple_parts(text: str) -> list[tuple[str | tuple[str, ...], int]] | None:
    """Text, and chains of fields as tuples, each with its offset; nothing when there is more to the template."""
    parts: list[tuple[str | tuple[str, ...], int]] = []
    position = 0
    while True:
        left = text.find("{{", position)
        if left < 0:
            if position < len(text):
                parts.append((text[position:], position))
            return parts
        right = text.find("}}", left)
        word = text[left + 2 : right].strip(" \t")
        names = tuple(word[1:].split(".")) if len(word) > 1 else ()
        if right < 0 or word[:1] != "." or not all(map(_is_name, names)):
            return None
        if left > position:
            parts.append((text[position:left], position))
        parts.append((names, left + 2))
        position = right + 2


def _is_name(name: str) -> bool:
    return name.isidentifier() and name.isascii()


def _parse(text: str) -> Tree:
    from pod.cli.template.parser import parse

    return parse(text)
