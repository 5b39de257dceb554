from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.linux import capabilities


@given(st.sets(st.sampled_from(capabilities.NAMES)))
def test_masks_and_names_are_inverse(names: set[str]) -> None:
    bits = capabilities.mask(names)
    assert set(capabilities.names(bits)) == names


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("CAP_CHOWN", 0),
        ("CAP_NET_ADMIN", 12),
        ("CAP_SYS_ADMIN", 21),
        ("CAP_CHECKPOINT_RESTORE", 40),
    ],
)
def test_positions_are_the_kernels_numbers(name: str, number: int) -> None:
    assert capabilities.mask([name]) == 1 << number


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(ValueError):
        capabilities.mask(["CAP_FLY"])


def test_the_running_kernel_has_a_last_capability() -> None:
    assert 36 < capabilities.last_known() < 64
