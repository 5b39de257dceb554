"""Find pod's own modules, and some others, by their compiled files, without the search that other modules need.

A command imports a hundred modules of pod, most of them within a few milliseconds of its start. Python's own finder
lists directories, tries five file name endings and asks for the state of each file four times, which takes longer than
to run most of the modules. Here a module is one file, whose place follows from its name, beside one compiled file that
is right while it names the time and size of the source (PEP 552; Lib/importlib/_bootstrap_external.py is what happens
otherwise). Whatever looks different is left to the finder that comes after this one. Being the first module that is
loaded, it also sees to it that `os` is loaded for less.
"""

from __future__ import annotations

import marshal
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType
    from typing import Any


class _Mapping:
    """What `os.environ` is made of until somebody wants more of a mapping than this: then it becomes the real one.

    A bare interpreter (-S) has not loaded `os`, and half of what that takes is for _collections_abc, a module of 25
    abstract classes that is there for the one of `os.environ`. Process 1 of a container, which can import nothing, does
    with what is here.
    """

    __slots__ = ()

    def get(self: Any, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self: Any, name: str) -> bool:
        try:
            self[name]
        except KeyError:
            return False
        return True

    def __getattr__(self, name: str) -> Any:
        kind: Any = type(self)
        if kind.__bases__ != (_Mapping,):
            raise AttributeError(f"'{kind.__name__}' object has no attribute '{name}'")
        from _collections_abc import MutableMapping

        kind.__bases__ = (MutableMapping,)
        return getattr(self, name)


def _has_methods(kind: type, *names: str) -> Any:
    from _collections_abc import _check_methods  # type: ignore[attr-defined]  # of os.PathLike

    return _check_methods(kind, *names)


def _import_os() -> None:
    """Import `os`, with a stand-in for _collections_abc; without, where this is an `os` that wants more of it."""
    stand_in: Any = type(sys)("_collections_abc")
    stand_in.MutableMapping, stand_in.Mapping = _Mapping, dict  # the latter for `os.environ | {}`
    stand_in._check_methods = _has_methods
    sys.modules[stand_in.__name__] = stand_in
    try:
        import os  # noqa: F401
    except (ImportError, AttributeError, TypeError):
        sys.modules.pop("os", None)
    finally:
        del sys.modules[stand_in.__name__]


# Only the version whose `os` was read and tested for it; others load what they ask for.
if sys.version_info[:2] == (3, 11) and not {"os", "_collections_abc"} & sys.modules.keys():
    _import_os()
import os  # noqa: E402

_ENDING = f".{sys.implementation.cache_tag}.pyc"
_HEADER_BYTES = 16
_BY_TIME = MAGIC_NUMBER + b"\0\0\0\0"
_KNOWN = ("pod.", "storage.", "netns.", "httptools.")
"""Where modules are files of Python: our packages, and those of a request to a registry."""
_BESIDE = ("pod", "storage", "netns")
"""Our packages, in the directory that this module's own package is in."""
_DIRECTORY = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


class _Loader(SourceFileLoader):
    """Runs the code that was found together with the module's place; for all else it is Python's own."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code: CodeType | None = code

    def get_code(self, fullname: str) -> CodeType | None:
        code, self._code = self._code, None  # once it has run, nobody needs it in memory
        return code or super().get_code(fullname)


class CompiledFinder:
    """For sys.meta_path: knows modules inside the packages of _KNOWN."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None and name in _BESIDE:
            path = (_DIRECTORY,)
        elif path is None or len(path) != 1 or not name.startswith(_KNOWN):
            return None
        place = f"{path[0]}/{name[name.rfind('.') + 1 :]}"
        return _found(name, path[0], place) or _found(name, place, f"{place}/__init__")


def _found(name: str, directory: str, stem: str) -> ModuleSpec | None:
    """The module whose source is `stem`.py in `directory`; None where no compiled file is known to be made of it."""
    source = f"{stem}.py"
    compiled = f"{directory}/__pycache__/{stem[len(directory) + 1 :]}{_ENDING}"
    try:
        fd = os.open(compiled, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(fd, os.fstat(fd).st_size)
        state = os.stat(source)
    except OSError:
        return None
    finally:
        os.close(fd)
    if data[:_HEADER_BYTES] != _BY_TIME + _word(int(state.st_mtime)) + _word(state.st_size):
        return None
    code = marshal.loads(memoryview(data)[_HEADER_BYTES:])
    is_package = stem.endswith("/__init__")
    spec = ModuleSpec(name, _Loader(name, source, code), origin=source, is_package=is_package)
    spec.cached = compiled
    spec.has_location = True
    if is_package:
        spec.submodule_search_locations = [directory]
    return spec


def _word(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4, "little")


def install() -> None:
    """Have this interpreter use it. Calling it again changes nothing."""
    if sys.meta_path[:1] != [CompiledFinder]:
        sys.meta_path.insert(0, CompiledFinder)
