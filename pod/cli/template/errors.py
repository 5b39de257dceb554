"""What can be wrong with a template."""

from __future__ import annotations

from pod.base.errors import UsageError


class TemplateError(UsageError):
    """The template cannot be read, or not be filled in; the message says where."""

    def __init__(self, problem: str, text: str, offset: int) -> None:
        text = text.removesuffix("\n")  # which is ours: there is one behind each row
        line = text.count("\n", 0, offset) + 1
        column = offset - (text.rfind("\n", 0, offset) + 1) + 1
        where = f"column {column}" if "\n" not in text else f"line {line}, column {column}"
        super().__init__(f"template '{_shortened(text)}', {where}: {problem}")


class Problem(Exception):
    """What a function or a value complains about; the evaluator adds the place and makes a TemplateError of it."""


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "..."
