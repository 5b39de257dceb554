"""What tests leave to chance: in CI the same in every run, elsewhere something new each time.

A gate that tries other moments each time stops a change for what was there before it. The search for rare moments is
for runs by hand, which name what they began with; POD_TEST_SEED repeats one, as far as time can be repeated.
"""

from __future__ import annotations

import os
import random

# Of the environment, so that all processes of one run have the same.
SEED = int(
    os.environ.setdefault(
        "POD_TEST_SEED", "7" if os.environ.get("CI") else str(random.randrange(1 << 16))
    )
)


def chance(name: str) -> random.Random:
    """Begins anew for each `name`, so that a test has the same alone and among others."""
    return random.Random(f"{SEED} {name}")
