"""Run a function of pod in a fresh interpreter: small, isolated, and from compiled bytecode.

A file that is run as a script is compiled each time and never kept; so the interpreter gets one line that imports it.
"""

from __future__ import annotations

import os
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def command(module: str, function: str, *arguments: int) -> list[str]:
    """The words, the program first, that call `module.function(*arguments)`. Nothing of the environment is heeded."""
    code = (
        f"import sys; sys.path.insert(0, {_ROOT!r}); from pod.base.modules import install; install(); "
        f"from {module} import {function}; {function}{arguments}"
    )
    return [sys.executable or "python3", "-I", "-S", "-c", code]
