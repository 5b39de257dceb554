"""What is to be signed with which key: the file of parameters, and what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pod.base.errors import PodError, UsageError
from pod.image.trust import sigstore
from pod.image.trust.sign import Signing, read_parameters


def test_a_file_of_parameters_names_the_key(tmp_path: Path) -> None:
    path = tmp_path / "parameters.yaml"
    path.write_text("privateKeyFile: /key\nprivateKeyPassphraseFile: /pass\n")
    assert read_parameters(str(path)) == Signing(sigstore_key="/key", passphrase_file="/pass")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must have keys"),
        ("[", "not valid YAML"),
        ("privateKeyFile: 5", "must name the private key"),
        ("privateKeyPassphraseFile: /x", "must name the private key"),
        ("privateKeyFile: /x\nother: 1", "the unknown key 'other'"),
        ("privateKeyFile: /x\nrekorURL: https://x", "without transparency logs"),
        ("fulcio: {}", "without certificates of Fulcio"),
    ],
)
def test_what_it_cannot_say(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "parameters.yaml"
    path.write_text(text)
    with pytest.raises(PodError) as caught:
        read_parameters(str(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("gpg", "key"), [("", ""), ("a", "b")])
def test_a_passphrase_is_for_one_key(gpg: str, key: str) -> None:
    with pytest.raises(UsageError, match="exactly one"):
        Signing(gpg, key, "/pass").check()


def test_without_the_package_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(sigstore.NoCryptography, match="'cryptography', which is not installed"):
        sigstore.public_key("'x'", b"")
