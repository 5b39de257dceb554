"""Values as templates see them: the fields they have, whether they are true, and their text in Go's notation.

Rows and documents are dictionaries, records and lists. Go tells structs from maps by type, and we by sight: a
dictionary whose keys all look like Go's exported names is a struct, and naming a field that it lacks is an error; any
other one is a map, where a missing key is no value.
"""

from __future__ import annotations

from math import isinf, isnan

from pod.cli.template.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class Missing:
    """What a map has under a key that is not there."""

    def __repr__(self) -> str:
        return "<no value>"


NO_VALUE = Missing()

_MAPS = frozenset(
    "Annotations DriverOpts Environment ExposedPorts Labels LogOpts Networks Options Ports "
    "Sysctls Tmpfs Volumes".split()
)


class Map(dict[object, object]):
    """A dictionary that is a map, however its keys look: labels, ports."""


def field_of(receiver: Any, name: str, arguments: Sequence[Any] = ()) -> Any:
    """The field, map entry or method `name` of `receiver`; methods are called with `arguments`.

    A row may hold functions: they are called when a template names them, so that what nobody asks for costs nothing.
    Raises Problem.
    """
    if isinstance(receiver, dict):
        if name in receiver:
            value = receiver[name]
            if name in _MAPS and type(value) is dict:
                value = Map(value)
        elif is_struct(receiver):
            return field_of(receiver, _go_spelling(name, receiver), arguments)
        else:
            value = NO_VALUE
    elif receiver is None or receiver is NO_VALUE:
        value = NO_VALUE
    else:
        value = _attribute(receiver, name)
    if callable(value):
        return call(value, arguments, f".{name}")
    if arguments:
        raise Problem(f"'.{name}' is no function and takes no arguments")
    return value


def call(function: Any, arguments: Sequence[Any], name: str) -> Any:
    """The result of a function of a row. Raises Problem when it takes another number of arguments."""
    least, most = _arity(function)
    if not least <= len(arguments) <= most:
        expected = f"{least}" if least == most else f"{least} to {most}"
        raise Problem(f"'{name}' takes {expected} arguments, not {len(arguments)}")
    return function(*arguments)


def _arity(function: Any) -> tuple[int, int]:
    """How few and how many arguments a Python function takes."""
    plain_function = getattr(function, "__func__", function)
    code = getattr(plain_function, "__code__", None)
    if code is None:
        return 0, 0
    most = code.co_argcount - int(plain_function is not function)  # less `self`
    return most - len(plain_function.__defaults__ or ()), most


def _is_method(value: Any) -> bool:
    """Whether a value of a row is a function that needs arguments; such a one has no text and no JSON."""
    return callable(value) and _arity(value)[0] > 0


def _attribute(receiver: Any, name: str) -> Any:
    """A field of a record by its Go name: RestartCount is `restart_count`; `go_names` has those that are irregular."""
    names: Mapping[str, str] = getattr(type(receiver), "go_names", {})
    attribute = names.get(name) or snake_case(name)
    if name not in names and attribute not in getattr(type(receiver), "_fields", ()):
        raise Problem(f"there is no field '{name}' in {kind_of(receiver)}")
    return getattr(receiver, attribute)


def snake_case(name: str) -> str:
    """ "RestartCount" -> "restart_count", "ImageID" -> "image_id"."""
    out: list[str] = []
    for index, letter in enumerate(name):
        if letter.isupper() and index:
            after_lower = not name[index - 1].isupper()
            before_lower = name[index + 1 : index + 2].islower()
            if after_lower or before_lower:
                out.append("_")
        out.append(letter.lower())
    return "".join(out)


def is_struct(value: Any) -> bool:
    """Whether a dictionary stands for a Go struct."""
    if not isinstance(value, dict) or not value or isinstance(value, Map):
        return False
    lower = False
    for key in value:
        if not isinstance(key, str) or not key[:1].isupper() or not key.isalnum():
            return False
        lower = lower or not key.isupper()
    return lower or len(value) == 1


def _go_spelling(name: str, receiver: dict[str, Any]) -> str:
    """The key that `name` means: ID is what JSON calls Id, HostIP what it calls HostIp. Raises Problem."""
    other: str | None = getattr(receiver, "other_names", {}).get(name)
    if other is not None:
        return other
    if name[:1].isupper():
        for key in receiver:
            if key.lower() == name.lower():
                return key
    raise Problem(_no_field(name, receiver))


def _no_field(name: str, receiver: dict[str, Any]) -> str:
    from pod.base.suggest import closest

    meant = closest(name, receiver)
    if meant:
        return f"there is no field '{name}', did you mean '{meant[0]}'?"
    known = ", ".join(sorted(receiver))
    return f"there is no field '{name}', known are {known}"


def is_true(value: Any) -> bool:
    """Go's rule for `if` and `and`: false, zero, nothing and what is empty are false."""
    if value is None or value is NO_VALUE:
        return False
    if isinstance(value, dict):
        return bool(value)
    return bool(value) if isinstance(value, bool | int | float | str | list | tuple) else True


def kind_of(value: Any) -> str:
    """The type of a value in Go's words, for messages and for printf's complaints."""
    if value is None or value is NO_VALUE:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list | tuple):
        return "[]string" if value and all(isinstance(item, str) for item in value) else "[]any"
    if isinstance(value, dict):
        return "struct" if is_struct(value) else "map[string]any"
    return type(value).__name__


def text_of(value: Any) -> str:
    """The value as an action prints it: Go's %v, and "<no value>" for a missing one."""
    if type(value) is str:
        return value
    return "<no value>" if value is NO_VALUE else plain(value)


def plain(value: Any, *, named: bool = False) -> str:
    """Go's %v of a value; with `named`, structs show their field names, as %+v does."""
    if value is None or value is NO_VALUE:
        return "<nil>"
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, list | tuple):
        return "[" + " ".join(plain(item, named=named) for item in value) + "]"
    if callable(value):
        return plain(value(), named=named)
    fields = value if isinstance(value, dict) else _record_fields(value)
    if fields is None:
        return str(value)
    if not is_struct(fields):
        parts = (f"{key}:{plain(fields[key], named=named)}" for key in sorted_keys(fields))
        return "map[" + " ".join(parts) + "]"
    texts = []
    for name in fields:
        if _is_method(fields[name]):
            continue
        text = plain(field_of(fields, name), named=named)
        texts.append(f"{name}:{text}" if named else text)
    return "{" + " ".join(texts) + "}"


def _record_fields(value: Any) -> dict[str, Any] | None:
    """The fields of a record under Go's names."""
    names = getattr(value, "_fields", None)
    if not isinstance(names, tuple):
        return None
    return {"".join(map(str.capitalize, name.split("_"))): getattr(value, name) for name in names}


def sorted_keys(mapping: dict[Any, Any]) -> list[Any]:
    """The keys in the order in which Go visits and prints them."""
    return sorted(mapping, key=lambda key: (isinstance(key, str), key))


def float_text(value: float) -> str:
    """Go's %v of a float: the shortest digits that mean this number, with an exponent below 1e-4 and from 1e6 on."""
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value and not 1e-4 <= abs(value) < 1e6:
        digits = len(repr(value).partition("e")[0].strip("-0.").replace(".", "").rstrip("0"))
        return f"{value:.{max(digits - 1, 0)}e}"
    return repr(value).removesuffix(".0")


def json_ready(value: Any) -> Any:
    """The value with functions called, records as objects and missing ones as null, for JSON."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, str | int | float) or value is None:
        return value
    if value is NO_VALUE:
        return None
    if isinstance(value, dict):
        document = getattr(value, "document", None)
        if document is not None:
            return json_ready(document)
        keys = value if is_struct(value) else sorted_keys(value)
        return {key: json_ready(value[key]) for key in keys if not _is_method(value[key])}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if callable(value):
        return json_ready(value())
    fields = _record_fields(value)
    return {name: json_ready(item) for name, item in fields.items()} if fields else str(value)
