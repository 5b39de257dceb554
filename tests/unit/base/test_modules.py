"""Finding pod's own modules by their compiled files: the same modules, and never an outdated one."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import inspect
import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from pod.base.modules import CompiledFinder


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The directory of a package: a module and a package in it, both compiled."""
    (tmp_path / "inner").mkdir()
    for name in ("thing.py", "inner/__init__.py"):
        (tmp_path / name).write_text("VALUE = 1\n")
        py_compile.compile(str(tmp_path / name), doraise=True)
    return tmp_path


def value(package: Path) -> object:
    spec = CompiledFinder.find_spec("pod.thing", [str(package)])
    if spec is None:
        return None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module.VALUE


def test_compiled_module_is_loaded(package: Path) -> None:
    assert value(package) == 1


def test_outdated_file_is_left_to_python(package: Path) -> None:
    source = package / "thing.py"
    source.write_text("VALUE = 22\n")
    assert value(package) is None


def test_source_of_another_time_is_left_to_python(package: Path) -> None:
    then = os.stat(package / "thing.py").st_mtime - 10
    os.utime(package / "thing.py", (then, then))
    assert value(package) is None


def test_missing_source_is_left_to_python(package: Path) -> None:
    (package / "thing.py").unlink()
    assert value(package) is None


def test_file_checked_by_hash_is_left_to_python(package: Path) -> None:
    checked = py_compile.PycInvalidationMode.CHECKED_HASH
    py_compile.compile(str(package / "thing.py"), invalidation_mode=checked, doraise=True)
    assert value(package) is None


def test_modules_of_others_are_left_to_python(package: Path) -> None:
    assert CompiledFinder.find_spec("json.decoder", [str(package)]) is None
    assert CompiledFinder.find_spec("podman") is None


def test_packages_beside_its_own_are_found() -> None:
    """What the launchers rest on: the first module of pod is found by it as well."""
    for name in ("pod", "storage", "netns"):
        expected = importlib.machinery.PathFinder.find_spec(name, sys.path)
        found = CompiledFinder.find_spec(name)
        assert expected is not None
        assert found is None or found.origin == expected.origin


@pytest.mark.parametrize("name", ["pod.thing", "pod.inner"])
def test_specification_is_the_one_python_makes(package: Path, name: str) -> None:
    expected = importlib.machinery.PathFinder.find_spec(name, [str(package)])
    found = CompiledFinder.find_spec(name, [str(package)])
    assert expected is not None
    assert found is not None
    for attribute in ("name", "origin", "cached", "has_location", "submodule_search_locations"):
        assert getattr(found, attribute) == getattr(expected, attribute), attribute
    module = importlib.util.module_from_spec(found)
    assert found.loader is not None
    found.loader.exec_module(module)
    assert inspect.getsource(module).startswith("VALUE = ")


def test_program_uses_it() -> None:
    """What a command loads is found by it, but for what comes before."""
    done = subprocess.run([sys.executable, "-I", "-c", _PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"pod.cli.main", "pod.cli", "pod.base.version"} <= set(done.stderr.split())


# The installed program, whose files are compiled whatever happens to the tree.
_PROGRAM = """
import os, sys
sys.argv = ["pod", "--version"]
def shown(status):
    for name, module in sys.modules.items():
        loader = getattr(module.__spec__, "loader", None)
        if type(loader).__module__ == "pod.base.modules":
            sys.stderr.write(name + " ")
    sys.stderr.flush()
    end(status)
end, os._exit = os._exit, shown
from pod.__main__ import main
main()
"""


@pytest.mark.parametrize("name", ["httptools.parser", "httptools._version"])
def test_modules_of_requests_are_found(name: str) -> None:
    package = os.path.dirname(str(importlib.import_module(name.partition(".")[0]).__file__))
    expected = importlib.machinery.PathFinder.find_spec(name, [package])
    found = CompiledFinder.find_spec(name, [package])
    assert expected is not None
    assert found is None or (found.origin, found.cached) == (expected.origin, expected.cached)


@pytest.mark.parametrize(
    "expression",
    [
        "os.environ['A'] == os.environ.get('A') == '1'",
        "os.environb[b'A'] == os.environb.get(b'A') == b'1' and b'B' not in os.environb",
        "'A' in os.environ and 'B' not in os.environ and os.environ.get('B', 2) == 2",
        "os.environ.copy() == dict(os.environ) == {**os.environ} == {'A': '1'}",
        "list(os.environ.items()) == [('A', '1')]",
        "(os.environ | {'B': '2'}) == {'A': '1', 'B': '2'}",
        "os.environ.pop('A') == '1' and not os.environ",
        "os.environ.keys() and isinstance(os.environ, __import__('_collections_abc').Mapping)",
        "os.environ.update(B='2') is None and os.getenv('B') == '2'",
        "isinstance(__import__('pathlib').Path('a'), os.PathLike)",
        "not isinstance('a', os.PathLike)",
        "not hasattr(os.environ, 'missing') and not hasattr(os.environ, 'missing')",
    ],
)
def test_environment_is_a_mapping_though_os_was_loaded_for_less(expression: str) -> None:
    program = (
        "import sys; from _frozen_importlib import _load; "
        "from _frozen_importlib_external import spec_from_file_location as spec; "
        f"_load(spec('pod.base.modules', {_finder()!r})); import os; "
        "del os.environ['LC_ALL']; assert '_collections_abc' not in sys.modules; "
        f"assert {expression}"
    )
    subprocess.run(
        [sys.executable, "-IS", "-c", program], check=True, env={"A": "1", "LC_ALL": "C.UTF-8"}
    )


def _finder() -> str:
    return str(sys.modules[CompiledFinder.__module__].__file__)
