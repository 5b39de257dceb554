"""Run a function of pod in a fresh interpreter: small, isolated, and from compiled bytecode.

A file that is run as a script is compiled each time and never kept; so the interpreter gets one line that imports it.
"""

from __future__ import annotations

import os
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_FINDER = f"{_ROOT}/pod/base/modules.py"


def command(module: str, function: str, *arguments: int) -> list[str]:
    """The words, the program first, that call `module.function(*arguments)`. Nothing of the environment is heeded."""
    # Without site.py, packages that lie elsewhere than pod would not be found.
    elsewhere = [it for it in sys.path if it.endswith("-packages") and it != _ROOT]
    code = (
        f"import sys; sys.path.insert(0, {_ROOT!r}); sys.path += {elsewhere}; "
        "from _frozen_importlib import _load; from _frozen_importlib_external import spec_from_file_location; "
        f"_load(spec_from_file_location('pod.base.modules', {_FINDER!r})).install(); "
        f"from {module} import {function}; {function}{arguments}"
    )
    return [sys.executable or "python3", "-I", "-S", "-c", code]
