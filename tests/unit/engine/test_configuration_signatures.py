"""registries.d: which directory, which namespace, and what is wrong where."""

from __future__ import annotations

from pathlib import Path

import pytest

from pod.engine.configuration import ConfigurationError
from pod.engine.configuration_places import Places
from pod.engine.configuration_signatures import load_signatures

FILE = """\
default-docker:
  sigstore: https://old.example.com/all
  lookaside-staging: file:///staging
docker:
  a.io:
    lookaside: https://a.io/signatures
    sigstore: https://never.read
    use-sigstore-attachments: true
  a.io/team:
    use-sigstore-attachments: false
  "*.example.com":
    lookaside: file:///wild
  a.io/one:5: {lookaside: "https://tag"}
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("user", "etc"):
        (tmp_path / name / "registries.d").mkdir(parents=True)
    return Places(shipped="", user=str(tmp_path / "user"), admin=str(tmp_path / "etc"))


def write(places: Places, name: str, text: str) -> str:
    path = Path(places.user, "registries.d", name)
    path.write_text(text)
    return str(path)


def test_the_narrowest_that_says_something_counts(places: Places) -> None:
    write(places, "a.yaml", FILE)
    write(places, "b.yml", "not: read")
    found = load_signatures(places)
    assert found.reading("a.io/team/x:1") == "https://a.io/signatures"
    assert found.reading("a.io/one:5") == "https://tag"
    assert found.reading("x.example.com:5000/y:1") == "file:///wild"
    assert found.reading("b.io/x:1") == "https://old.example.com/all"
    assert found.writing("b.io/x:1") == "file:///staging"
    assert found.writing("a.io/x:1") == "https://a.io/signatures"
    assert found.has_attachments("a.io/x:1")
    assert not found.has_attachments("a.io/team/x:1")
    assert not found.has_attachments("b.io/x:1")


def test_only_one_directory_is_read(places: Places) -> None:
    Path(places.admin, "registries.d", "a.yaml").write_text(FILE)
    assert load_signatures(places).reading("b.io/x:1").endswith("/containers/sigstore")
    Path(places.user, "registries.d").rmdir()
    assert load_signatures(places).reading("b.io/x:1") == "https://old.example.com/all"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", ""),
        ("- a", "line 1"),
        ("docker:\n- a", "line 1: key 'docker' must have"),
        ("docker:\n  a.io: 5", "line 2: key 'a.io' must have"),
        ("docker:\n  a.io:\n    lookaside: 5", "line 3: key 'a.io.lookaside' must be text"),
        (
            "docker:\n  a.io: {}\n  b.io:\n    use-sigstore-attachments: maybe",
            "line 4: key 'b.io.use-sigstore-attachments' must be true or false",
        ),
        ("docker:\n  a: {}\n  a: {}", "line 3"),
        ("docker: [", "not valid YAML"),
        ("\x00", "not valid YAML"),
        ("[" * 5000, "not valid YAML"),
        ("#" * 1_100_000, "has more than"),
    ],
)
def test_mistakes_are_told_by_line(places: Places, text: str, said: str) -> None:
    path = write(places, "a.yaml", text)
    if not said:
        load_signatures(places)
        return
    with pytest.raises(ConfigurationError) as caught:
        load_signatures(places)
    assert path in str(caught.value)
    assert said in str(caught.value)


def test_two_files_may_not_speak_of_one_name(places: Places) -> None:
    write(places, "a.yaml", FILE)
    path = write(places, "b.yaml", "docker:\n  a.io: {}\n")
    with pytest.raises(ConfigurationError, match=f"'{path}', line 2: key 'a.io' stands in"):
        load_signatures(places)
    path = write(places, "b.yaml", "\ndefault-docker: {}\n")
    with pytest.raises(ConfigurationError, match=f"'{path}', line 2: key 'default-docker'"):
        load_signatures(places)
