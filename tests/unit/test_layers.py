"""Which way imports go: ARCHITECTURE.md, "Which way imports go", held against the imports of every file.

Imports inside functions and those for the type checker count like all others.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))

LAYERS = (
    ("pod.cli", "pod.api", "pod.monitor"),
    ("pod.compose", "pod.kube"),
    ("pod.engine",),
    ("pod.build", "pod.image", "pod.quadlet", "pod.runtime", "pod.state"),
    ("storage", "netns"),
    ("pod.spec",),
    ("pod.linux",),
    ("pod.base",),
)
LEVEL = {package: level for level, packages in enumerate(LAYERS) for package in packages}
SIDEWAYS = {("pod.build", "pod.image"), ("pod.build", "pod.runtime")}

# Third-party and heavy modules: the files or packages that may import them.
ONLY = {
    "click": ("pod/cli/",),
    "rich": ("pod/cli/",),
    "pyroute2": ("netns/",),
    "dnslib": ("netns/holder/answers.py",),
    "jeepney": ("pod/linux/scopes.py",),
    "cryptography": ("pod/engine/secret_encryption.py", "pod/image/trust/"),
    "psutil": ("pod/engine/info_host.py",),
    "xattr": ("storage/",),
    "httptools": ("pod/image/answer.py",),
    "zstandard": ("pod/image/", "storage/"),
    "isal": ("storage/compression.py",),
    "jsonschema": ("pod/compose/validity.py",),
    "ruamel": ("pod/spec/yaml_text.py",),
    "tomllib": ("pod/engine/configuration.py",),
    "tomli": ("pod/engine/configuration.py",),
    "sqlite3": ("pod/state/",),
    "asyncio": (),
    "importlib.metadata": (),
    "typing_extensions": ("pod/base/records.py", "pod/spec/oci.py"),  # for mypy alone
}


def sources() -> list[str]:
    found = []
    for top in ("pod", "storage", "netns"):
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            found += [
                os.path.relpath(os.path.join(folder, name), ROOT)
                for name in names
                if name.endswith(".py")
            ]
    return sorted(found)


SOURCES = sources()


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported_by(path: str) -> Iterator[tuple[str, int]]:
    """The full names of the modules that a file imports, each with its line."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    package = (
        module_of(path) if path.endswith("__init__.py") else module_of(path).rpartition(".")[0]
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [base])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield (whole if is_module(whole) else base), node.lineno


def is_module(name: str) -> bool:
    path = os.path.join(ROOT, name.replace(".", "/"))
    return os.path.exists(path + ".py") or os.path.isdir(path)


def layer_of(module: str) -> str | None:
    """The package of the table above that a module belongs to."""
    for package in LEVEL:
        if module == package or module.startswith(package + "."):
            return package
    return None


@pytest.mark.parametrize("path", SOURCES)
def test_imports_go_downward(path: str) -> None:
    own = layer_of(module_of(path))
    if own is None:
        assert path in ("pod/__init__.py", "pod/__main__.py"), "a package without a layer"
        return
    wrong = []
    for name, line in imported_by(path):
        other = layer_of(name)
        if other is None:
            if name == "pod" or name.startswith("pod."):
                wrong.append(f"{path}:{line} imports {name}, which has no layer")
        elif other != own and LEVEL[other] <= LEVEL[own] and (own, other) not in SIDEWAYS:
            wrong.append(f"{path}:{line} imports {name}: {own} is not above {other}")
    assert not wrong


@pytest.mark.parametrize("path", SOURCES)
def test_heavy_and_foreign_modules_stay_where_they_belong(path: str) -> None:
    wrong = []
    for name, line in imported_by(path):
        top = name.partition(".")[0]
        for module in (top, name):
            if module in ONLY and not path.startswith(ONLY[module] or ("-",)):
                wrong.append(
                    f"{path}:{line} imports {name}, which is for {ONLY[module] or 'nobody'}"
                )
                break
        known = top in ONLY or top in sys.stdlib_module_names or top in ("pod", "storage", "netns")
        if not known:
            wrong.append(f"{path}:{line} imports {name}, which is no dependency")
    assert not wrong


@pytest.mark.parametrize("path", [path for path in SOURCES if path.endswith("__init__.py")])
def test_packages_are_empty(path: str) -> None:
    """Importing a submodule runs it. pod's own offers the public names on first use."""
    if path != "pod/__init__.py":
        assert os.path.getsize(os.path.join(ROOT, path)) == 0


@pytest.mark.parametrize("path", SOURCES)
def test_nothing_heavy_at_module_level_of_what_every_command_needs(path: str) -> None:
    """Modules that cost milliseconds are imported in the function that uses them."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    heavy = {
        "click",
        "rich",
        "httptools",
        "psutil",
        "pyroute2",
        "dataclasses",
        "ruamel",
        "tarfile",
        "http",
        "ssl",
    }
    wrong = []
    for node in tree.body:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        wrong += [
            f"{path}:{node.lineno} imports {name} at module level"
            for name in names
            if name.partition(".")[0] in heavy
        ]
    assert not wrong
