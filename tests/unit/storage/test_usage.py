"""The disk space of trees that change while they are measured."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from storage import usage


@pytest.mark.parametrize("entries", [0, 1], ids=["gone", "a link"])
def test_a_tree_that_is_replaced_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    """That of a step is a link from the moment on in which it becomes a layer."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("content")
    assert usage.measure(str(tree)).entries == 2

    def replace(*words: Any, **options: Any) -> int:
        monkeypatch.undo()
        shutil.rmtree(tree)
        if entries:
            tree.symlink_to("elsewhere")
        return os.open(*words, **options)

    monkeypatch.setattr(os, "open", replace)
    assert usage.measure(str(tree)).entries == entries
