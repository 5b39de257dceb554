"""Nothing that was acknowledged is lost when the power is cut, and `system check` has nothing to say.

POD_TEST_CUTS is how often it is cut (20 times in tox -e vm), POD_TEST_SEED what chance begins with: what is done
between cuts, and which of the unflushed writes are lost. Each cut is a test.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from tests.support.chance import SEED
from tests.support.engine import chosen_kind
from tests.vm import machine, power

pytestmark = pytest.mark.timeout(2 * power.LIFE_SECONDS + machine.BUILD_SECONDS)

CUTS = int(os.environ.get("POD_TEST_CUTS") or 3)


@pytest.fixture(scope="module")
def lives() -> Generator[Iterator[power.Life]]:
    try:
        machine.check_host()
    except machine.Missing as missing:
        pytest.skip(str(missing))
    if chosen_kind() == "podman":
        pytest.skip("allowed: podman is not in the virtual machine")
    print(f"POD_TEST_SEED={SEED}")
    lives = power.lives(CUTS, SEED)
    print(next(lives))  # its cut is what the first test is about
    yield lives
    lives.close()


@pytest.mark.parametrize("cut", range(1, CUTS + 1))
def test_nothing_acknowledged_is_lost(lives: Iterator[power.Life], cut: int) -> None:
    life = next(lives, None)
    assert life is not None, "the machine has not come up after an earlier cut"
    print(life)
    assert life.wrong == []
