"""git repositories that tests make."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(directory: Path, *words: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    done = subprocess.run(
        ["git", *identity, "-C", str(directory), *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
