"""`python -m pod.runtime`: see cli.py."""

from __future__ import annotations

from pod.runtime.cli import main

if __name__ == "__main__":
    main()
