"""Quantities of Kubernetes, and $(NAME) in texts."""

import pytest

from pod.kube import quantities, values


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("0", 0), ("128Mi", 128 << 20), ("1G", 10**9), ("1.5Gi", 3 << 29), ("1e3", 1000), ("12E2", 1200), ("1k", 1000)],
)  # fmt: skip
def test_bytes(text: str, wanted: int) -> None:
    assert quantities.bytes_of(text) == wanted


@pytest.mark.parametrize(("text", "wanted"), [("500m", 50_000), ("2", 200_000), ("0.1", 10_000)])
def test_processors(text: str, wanted: int) -> None:
    assert quantities.microseconds_of(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "m", "-1", "1 Mi", "1e", "1e999", "1.2.3", "0x10", "1KiB", "٣", "nan", "1" * 40]
)
def test_no_quantities(text: str) -> None:
    with pytest.raises(ValueError, match="a quantity such as"):
        quantities.parse(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("$(A)b", "1b"), ("$$(A)", "$(A)"),
     ("$(B)", "$(B)"), ("$", "$"), ("$(A", "$(A"), ("$$$(A)", "$1"), ("a$b", "a$b")],
)  # fmt: skip
def test_variables_in_texts(text: str, wanted: str) -> None:
    assert values.expand(text, {"A": "1"}) == wanted
