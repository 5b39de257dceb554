"""What end-to-end tests of faults look at afterwards: one clear sentence, and nothing half left."""

from __future__ import annotations

import os
import re

from tests.support.engine import Engine, Result

_QUOTED = re.compile(" *[0-9]+ [|] ")  # lines of a Dockerfile that an error is about


def one_error(result: Result, *, hint: bool | None = True) -> str:
    """The one error of a command that failed, without "Error: "; for pod, with a hint behind it; None: or without.

    AssertionError when there are more, a traceback, or something on standard output.
    """
    assert result.status != 0, result
    assert "Traceback" not in result.stderr, result
    assert result.stdout == "", result
    lines = result.stderr.splitlines()
    errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    assert len(errors) == 1, f"not one error:\n{result}"
    message = lines[errors[0]].removeprefix("Error: ")
    if os.path.basename(result.command[0]) != "podman":
        after = [line for line in lines[errors[0] + 1 :] if not _QUOTED.match(line)]
        if hint is not None or after:
            assert [line[:6] for line in after] == (["Hint: "] if hint is not False else []), result
        assert message[-1] != ".", result
    return message


def nothing_wrong(pod: Engine, max_age: str = "0s", after: str = "") -> None:
    """The store is consistent, its blobs too, and no command has left anything behind. Podman 4.3 has no such check.

    Blobs and layers that are younger than `max_age` may be there without an image: the next pull goes on with them.
    """
    if pod.kind == "podman":
        return
    found = pod("system", "check", "--max", max_age, status=None)
    assert (found.status, found.stdout, found.stderr) == (0, "", ""), f"{after}: {found}"
