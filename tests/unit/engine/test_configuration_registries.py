from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import PodError
from pod.engine import configuration_cache
from pod.engine.configuration import ConfigurationError
from pod.engine.configuration_registries import load_default_mounts, load_policy, load_registries
from pod.image.names import Mirror, RegistriesConfig, Rule
from pod.image.policy import ACCEPT, REJECT, Policy
from tests.support import configured


class Machine(configured.Machine):
    """The same, read for its registries."""

    def load(self) -> RegistriesConfig:  # type: ignore[override]
        return load_registries(self.places)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_files_docker_hub_is_searched(machine: Machine) -> None:
    assert machine.load() == RegistriesConfig(search=("docker.io",), short_name_mode="permissive")


def test_the_example_of_the_manual_page_is_read(machine: Machine) -> None:
    text = """
unqualified-search-registries = ["example.com"]
short-name-mode = "enforcing"
credential-helpers = ["containers-auth.json"]

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar"

[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"

[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true
pull-from-mirror = "digest-only"

[[registry]]
location = "registry.com"
mirror-by-digest-only = true

[[registry.mirror]]
location = "mirror.registry.com"

[[registry]]
prefix = "*.example.org"
blocked = true

[aliases]
"image" = "registry.com/namespace/image"
"""
    machine.write("etc/registries.conf", text)
    assert machine.load() == RegistriesConfig(
        search=("example.com",),
        short_name_mode="enforcing",
        rules=(
            Rule(
                "example.com/foo",
                "internal-registry-for-example.com/bar",
                mirrors=(
                    Mirror("example-mirror-0.local/mirror-for-foo"),
                    Mirror("example-mirror-1.local/mirrors/foo", insecure=True, pull="digest-only"),
                ),
            ),
            Rule(
                "registry.com",
                "registry.com",
                mirror_by_digest_only=True,
                mirrors=(Mirror("mirror.registry.com"),),
            ),
            Rule("*.example.org", blocked=True),
        ),
        aliases={"image": "registry.com/namespace/image"},
        credential_helpers=("containers-auth.json",),
    )


def search(text: str) -> str:
    return f'unqualified-search-registries = ["{text}"]\n'


def test_drop_ins_come_after_their_file_and_the_users_last(machine: Machine) -> None:
    for place in (
        "etc/registries.conf",
        "etc/registries.conf.d/b.conf",
        "user/registries.conf.d/a.conf",
    ):
        machine.write(place, search(place))
        assert machine.load().search == (place,)


def test_the_users_file_stands_for_those_of_the_system(machine: Machine) -> None:
    machine.write(
        "etc/registries.conf.d/b.conf", search("etc") + '[aliases]\nimage = "etc.com/image"\n'
    )
    machine.write("user/registries.conf", '[aliases]\nother = "user.com/other"\n')
    config = machine.load()
    assert (config.search, config.aliases) == (("docker.io",), {"other": "user.com/other"})


def test_the_environment_names_the_main_file(machine: Machine) -> None:
    machine.write("etc/registries.conf", search("etc"))
    machine.write("user/registries.conf", search("user"))
    machine.options["registries_conf"] = machine.write("x.conf", search("named"))
    assert machine.load().search == ("named",)
    machine.options["registries_conf"] = "/nowhere/x.conf"
    with pytest.raises(ConfigurationError, match=r"\$CONTAINERS_REGISTRIES_CONF"):
        machine.load()


def test_rules_with_one_prefix_replace_each_other_and_aliases_are_taken_back(
    machine: Machine,
) -> None:
    machine.write(
        "etc/registries.conf",
        '[[registry]]\nlocation="a.com"\n[aliases]\nx="a.com/x"\ny="a.com/y"\n',
    )
    machine.write(
        "etc/registries.conf.d/1.conf",
        '[[registry]]\nprefix="a.com"\nlocation="b.com"\n[aliases]\nx=""\n',
    )
    config = machine.load()
    assert config.rules == (Rule("a.com", "b.com"),)
    assert config.aliases == {"y": "a.com/y"}


def test_recorded_short_names_win(machine: Machine) -> None:
    machine.write("user/registries.conf", '[aliases]\nx="a.com/x"\n')
    machine.options["short_names"] = machine.write("cache/short.conf", '[aliases]\nx="b.com/x"\n')
    assert machine.load().aliases == {"x": "b.com/x"}


def test_the_first_format_is_read(machine: Machine) -> None:
    text = """
[registries.search]
registries = ['registry1.com', 'registry2.com']
[registries.insecure]
registries = ['registry3.com']
[registries.block]
registries = ['registry.untrusted.com', 'registry3.com']
"""
    machine.write("etc/registries.conf", text)
    config = machine.load()
    assert config.search == ("registry1.com", "registry2.com")
    assert config.rules == (
        Rule("registry3.com", "registry3.com", insecure=True, blocked=True),
        Rule("registry.untrusted.com", "registry.untrusted.com", blocked=True),
    )


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("unqualified-search-registries = 'x'\n", 1, "must be a list of strings"),
        ("unqualified-search-registries = ['']\n", 1, "'', which is not HOST[:PORT]"),
        ("unqualified-search-registries = ['http://x']\n", 1, "'http://x', which is not HOST"),
        ("unqualified-search-registries = ['a.com', 'a b']\n", 1, "'a b', which is not HOST"),
        ("[registries.search]\nregistries = ['']\n", 0, "'', which is not HOST[:PORT]"),
        ("[[registry]]\nlocation = 'a b'\n", 2, "is HOST[:PORT][/PATH]"),
        ("\nshort-name-mode = 'strict'\n", 2, "must be one of enforcing, permissive, disabled"),
        ("[registry]\nlocation = 'a.com'\n", 1, "must be written [[registry]]"),
        ("[[registry]]\ninsecure = true\n", 1, "needs a location or a prefix"),
        ("[[registry]]\nlocation = 'https://a.com'\n", 2, "without a scheme"),
        ("[[registry]]\nlocation = 1\n", 2, "must be a string"),
        ("[[registry]]\nlocation = 'a'\ninsecure = 'yes'\n", 3, "must be true or false"),
        ("[[registry]]\nprefix = 'example.*.com'\n", 2, "'*' at its beginning"),
        ("[[registry]]\nprefix = '*.example.com/foo'\n", 2, "'*' at its beginning"),
        ("[[registry]]\nprefix = '*.example.com:5000'\n", 2, "'*' at its beginning"),
        ("[[registry]]\nlocation = 'a'\nmirror = 5\n", 3, "must be written [[registry.mirror]]"),
        (
            "[[registry]]\nlocation = 'a'\n[[registry.mirror]]\ninsecure = true\n",
            3,
            "needs a location",
        ),
        (
            "[[registry]]\nlocation = 'a'\n[[registry.mirror]]\nlocation='b'\npull-from-mirror = 'some'\n",
            5,
            "must be one of all",
        ),
        (
            "[[registry]]\nlocation='a'\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation='b'\n"
            "pull-from-mirror = 'all'\n",
            6,
            "excludes mirror-by-digest-only",
        ),
        (
            "[[registry]]\nlocation = 'a'\n\n[[ registry ]] # two\nlocation = 5\n",
            5,
            "must be a string",
        ),
        (
            "[[registry]]\nlocation='a'\n[[registry.mirror]]\nlocation='b'\n"
            "[[registry]]\nlocation='c'\n[[registry.mirror]]\nlocation='d'\n[[registry.mirror]]\nlocation=5\n",
            10,
            "must be a string",
        ),
        ("registry = [{location = 'a'}, {location = 5}]\n", 0, "must be a string"),
        ("aliases = 5\n", 1, "must be a table"),
        ("[aliases]\nx = 5\n", 2, "must be a string"),
        ("[aliases]\nx = 'y'\n", 2, "must be a full name"),
        ("[aliases]\nx = 'a.com/y:tag'\n", 2, "must be a full name"),
        (
            "[registries.search]\nregistries = []\n[[registry]]\nlocation = 'a'\n",
            0,
            "cannot be mixed",
        ),
    ],
)
def test_a_bad_value_is_named_by_file_line_and_key(
    machine: Machine, text: str, line: int, part: str
) -> None:
    path = machine.write("etc/registries.conf", text)
    with pytest.raises(ConfigurationError) as caught:
        machine.load()
    where = f"'{path}', line {line}: key '" if line else f"'{path}': key '"
    assert str(caught.value).startswith(where)
    assert part in str(caught.value)


def test_registries_are_cached_until_a_file_changes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration_cache, "_YOUNG_NS", -(10**18))
    machine.options["cache"] = str(machine.root / "run")
    machine.write("etc/registries.conf", search("first") + '[[registry]]\nlocation = "a.com"\n')
    first = machine.load()
    kept = json.loads((machine.root / "run/registries.json").read_bytes())
    assert RegistriesConfig.from_json(kept["value"]) == first == machine.load()
    machine.write("user/registries.conf", search("second-user-file"))
    assert machine.load().search == ("second-user-file",)


# --- policy.json and mounts.conf ------------------------------------------------------------------------------------


def test_without_a_policy_everything_may_come_in(machine: Machine) -> None:
    assert load_policy(machine.places) == Policy()


def test_the_first_policy_is_the_only_one(machine: Machine) -> None:
    machine.write("vendor/policy.json", '{"default": [{"type": "reject"}]}')
    assert [one.kind for one in load_policy(machine.places).default] == [REJECT]
    machine.write("user/policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')
    assert [one.kind for one in load_policy(machine.places).default] == [ACCEPT]
    machine.options["rootless"] = False
    assert [one.kind for one in load_policy(machine.places).default] == [REJECT]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"default": [{"type": "trust"}]}', "[" * 100_000]
)
def test_a_bad_policy_lets_nothing_in(machine: Machine, text: str) -> None:
    path = machine.write("etc/policy.json", text)
    with pytest.raises(ConfigurationError, match=path):
        load_policy(machine.places)


def test_default_mounts_are_read(machine: Machine) -> None:
    assert load_default_mounts(machine.places) == ()
    machine.write("vendor/mounts.conf", "/usr/share/secrets:/run/secrets\n")
    assert load_default_mounts(machine.places) == (("/usr/share/secrets", "/run/secrets"),)
    machine.write("etc/mounts.conf", "# none\n\n /same \n/a:/b")
    assert load_default_mounts(machine.places) == (("/same", "/same"), ("/a", "/b"))


@pytest.mark.parametrize("line", ["a:/b", "/a:b", "/a:/b:ro", ":"])
def test_a_bad_default_mount_is_named(machine: Machine, line: str) -> None:
    path = machine.write("etc/mounts.conf", f"/ok\n{line}\n")
    with pytest.raises(ConfigurationError, match=f"'{path}', line 2: '{line}'"):
        load_default_mounts(machine.places)


PIECES = [
    "[[registry]]\n",
    "[[registry.mirror]]\n",
    "[aliases]\n",
    "location",
    "prefix",
    "=",
    '"a.com/b"',
    '"*."',
    "\n",
]


@given(st.lists(st.sampled_from(PIECES)).map("".join) | st.text(max_size=40))
def test_any_file_is_read_or_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        machine = Machine(Path(directory))
        machine.write("etc/registries.conf", text.encode("utf-8", "replace").decode())
        try:
            machine.load()
        except PodError as error:
            assert "registries.conf" in error.message
