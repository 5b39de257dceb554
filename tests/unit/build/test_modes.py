"""`--chmod`: held against chmod(1)."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from pod.base.errors import InvalidValue
from pod.build.modes import parse_chmod

CHANGES = (
    "755 0644 4755 +x -x a+x u+x,g-w u=rwX,go=rX g=u o=g u=rw,go= +w a+w -w a-r u+s g+s ug-s +t o-t =r a= "
    "u=rwxs go=u+x +X a=rX u-x+w"
).split()  # fmt: skip


@pytest.mark.parametrize("mode", [0o640, 0o755, 0o4751, 0o2775, 0o1777, 0o600])
def test_as_chmod_does_it(tmp_path: Path, mode: int) -> None:
    script = []
    for is_directory in (False, True):
        for index, change in enumerate(CHANGES):
            path = tmp_path / f"{'d' if is_directory else 'f'}{index}"
            path.mkdir() if is_directory else path.touch()
            path.chmod(mode)
            script.append(f"chmod -- {change} {path}")
    # "-x" and the like end with status 1 where the umask keeps something; what they do is the question.
    subprocess.run(["sh", "-c", "umask 022\n" + "\n".join(script)], capture_output=True)
    for is_directory in (False, True):
        for index, change in enumerate(CHANGES):
            path = tmp_path / f"{'d' if is_directory else 'f'}{index}"
            expected = stat.S_IMODE(path.stat().st_mode)
            if is_directory and change.isdecimal():
                expected = int(
                    change, 8
                )  # chmod(1) lets a directory keep some; a number says all here
            got = parse_chmod(change).apply(mode, is_directory=is_directory)
            assert f"{got:o}" == f"{expected:o}", (change, is_directory)


@pytest.mark.parametrize(
    "text", ["", "rwx", "u", "8", "99", "77777", "0077777", "u+q", "u+x,", "+ug"]
)
def test_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_chmod(text)
