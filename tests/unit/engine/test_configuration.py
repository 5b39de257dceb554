from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import PodError
from pod.engine import configuration_cache, configuration_schema
from pod.engine.configuration import (
    ConfigurationError,
    ContainerDefaults,
    EngineSettings,
    NetworkSettings,
    Settings,
    line_of,
)
from pod.engine.configuration_places import Source, find_places, shipped_directory
from tests.support.configured import Machine, shown

LONG_AGO = (1_000_000_000, 1_000_000_000)


def test_without_files_the_defaults_hold(machine: Machine) -> None:
    assert machine.load() == Settings()


def test_the_shipped_file_shows_the_defaults_that_hold(machine: Machine) -> None:
    """Each line behind a single # is taken for real; then every value must be what it is without."""
    lines = Path(shipped_directory(), "pod.conf").read_text(encoding="utf-8").splitlines()
    is_prose = [line.startswith("# ") and not line.startswith("#  ") for line in lines]
    body = [
        "" if prose else line.removeprefix("#") for prose, line in zip(is_prose, lines, strict=True)
    ]
    machine.options["conf"] = machine.write("shown.conf", "\n".join(body))
    assert machine.load() == Settings()
    named = {
        line.partition("=")[0].strip() for line in body if "=" in line and not line.startswith(" ")
    }
    known = {*ContainerDefaults._fields, *EngineSettings._fields, *Settings().network._fields}
    assert known - named == {"oom_score_adj", "compression_level", "runtimes"}


def test_later_files_win_in_the_order_of_podman(machine: Machine) -> None:
    places = [
        "vendor/containers.conf",
        "etc/containers.conf",
        "etc/containers.conf.d/10.conf",
        "etc/containers.conf.d/20.conf",
        "user/containers.conf",
        "user/containers.conf.d/10.conf",
    ]
    machine.write("etc/containers.conf.d/99.txt", "this is not read")
    for number, place in enumerate(places):
        machine.write(place, f'[containers]\nlog_tag = "{place}"\n[engine]\nretry = {number}\n')
        assert machine.load().containers.log_tag == place
        assert machine.load().engine.retry == number


def test_files_leave_alone_what_they_do_not_say(machine: Machine) -> None:
    machine.write("etc/containers.conf", '[containers]\ntz = "local"\npids_limit = 5\n')
    machine.write("user/containers.conf", "[containers]\npids_limit = 7\n")
    containers = machine.load().containers
    assert (containers.tz, containers.pids_limit) == ("local", 7)


def test_one_file_can_stand_for_all_and_another_comes_last(machine: Machine) -> None:
    machine.write("etc/containers.conf", '[containers]\ntz = "etc"\n')
    machine.write("user/containers.conf.d/a.conf", '[containers]\nlog_tag = "user"\n')
    machine.write(
        "etc/containers.conf.modules/m.conf", '[containers]\nlog_tag = "module"\npids_limit = 1\n'
    )
    machine.options["conf"] = machine.write("only.conf", '[containers]\nlog_tag = "only"\n')
    assert (machine.load().containers.tz, machine.load().containers.log_tag) == ("", "only")
    machine.options["modules"] = ("m.conf",)
    assert machine.load().containers.log_tag == "module"
    machine.options["conf_override"] = machine.write(
        "last.conf", '[containers]\nlog_tag = "last"\n'
    )
    assert (machine.load().containers.log_tag, machine.load().containers.pids_limit) == ("last", 1)


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("conf", "/nowhere/x.conf", r"\$CONTAINERS_CONF"),
        ("conf_override", "/nowhere/x.conf", r"\$CONTAINERS_CONF_OVERRIDE"),
        ("storage_conf", "/nowhere/x.conf", r"\$CONTAINERS_STORAGE_CONF"),
        ("modules", ("m.conf",), "--module"),
    ],
)
def test_a_file_that_somebody_names_must_exist(
    machine: Machine, option: str, value: Any, part: str
) -> None:
    machine.options[option] = value
    with pytest.raises(ConfigurationError, match=f"does not exist .*{part}"):
        machine.load()


def test_lists_replace_or_append_as_they_say(machine: Machine) -> None:
    """The example of containers.conf(5), "Appending to string arrays"."""
    for number, items in enumerate(['"1=true"', '"2=true"', '"3=true", {append=true}', '"4=true"']):
        machine.write(f"user/containers.conf.d/{number}.conf", f"[containers]\nenv = [{items}]\n")
    assert machine.load().containers.env == ("2=true", "3=true", "4=true")
    machine.write(
        "user/containers.conf.d/3.conf", '[containers]\nenv = ["4=true", {append=false}]\n'
    )
    assert machine.load().containers.env == ("4=true",)


def test_values_are_kept_in_the_form_in_which_they_are_used(machine: Machine) -> None:
    machine.write(
        "user/containers.conf",
        """
[containers]
default_capabilities = ["net_admin", "CAP_KILL"]
shm_size = "1m"
umask = "0077"
log_driver = "json-file"
oom_score_adj = -5
[engine]
image_volume_mode = ""
retry_delay = "2s"
[engine.runtimes]
crun = ["/usr/bin/crun", "/bin/crun"]
[network]
default_subnet_pools = [{"base" = "10.0.0.0/8", "size" = 20}]
""",
    )
    settings = machine.load()
    assert settings.containers.default_capabilities == ("CAP_NET_ADMIN", "CAP_KILL")
    assert (settings.containers.shm_size, settings.containers.umask) == (1_000_000, 0o077)
    assert (settings.containers.log_driver, settings.containers.oom_score_adj) == ("json-file", -5)
    assert (settings.engine.image_volume_mode, settings.engine.retry_delay) == ("bind", "2s")
    assert settings.engine.runtime_paths("crun") == ("/usr/bin/crun", "/bin/crun")
    assert settings.engine.runtime_paths("runc") == ()
    assert settings.network.default_subnet_pools == (("10.0.0.0/8", 20),)


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        (
            "[containers]\n\npids_limit = 'many'\n",
            3,
            "key 'containers.pids_limit' must be a whole number",
        ),
        ("[containers]\npids_limit = true\n", 2, "must be a whole number"),
        ("[containers]\npids_limit = -2\n", 2, "must be between -1"),
        ("[containers]\ninit = 'yes'\n", 2, "must be true or false"),
        ("[containers]\nenv = 'A=1'\n", 2, "must be a list of strings"),
        ("[containers]\nenv = [1]\n", 2, "must be a list of strings"),
        ("[containers]\nenv = ['=1']\n", 2, "the name is missing"),
        ("[containers]\nenv = [{append=1}]\n", 2, "append=true"),
        ("[containers]\nenv = [{prepend=true}]\n", 2, "append=true"),
        ("[containers]\ntz = 1\n", 2, "must be a string"),
        ("[containers]\ndefault_capabilities = ['NET_ADMN']\n", 2, "did you mean 'NET_ADMIN'"),
        ("[containers]\ndefault_capabilities = ['ALL']\n", 2, "one by one"),
        ("[containers]\ndefault_sysctls = ['net']\n", 2, "NAME=VALUE"),
        ("[containers]\ndefault_ulimits = ['files=1']\n", 2, "nofile"),
        ("[containers]\nshm_size = '-1'\n", 2, "shm_size"),
        ("[containers]\numask = '9'\n", 2, "octal"),
        ("[containers]\nvolumes = ['/a:b']\n", 2, "absolute path"),
        ("[containers]\nlog_driver = 'files'\n", 2, "one of k8s-file"),
        ("[containers]\nnetns = 'ns:x'\n", 2, "absolute"),
        ("[containers]\ncgroups = 'some'\n", 2, "enabled, no-conmon, split or disabled"),
        (
            "[containers]\nuserns = 'x'\n",
            2,
            "key 'containers.userns' 'x' is not valid: one of host",
        ),
        ("containers = 5\n", 1, "key 'containers' must be a table"),
        ("[engine]\n# pull_policy = 1\npull_policy = 'sometimes'\n", 3, "must be one of always"),
        ("[engine.runtimes]\ncrun = '/usr/bin/crun'\n", 1, "list of paths"),
        ("[network]\ndefault_subnet_pools = ['x']\n", 2, "list of tables"),
        ("[network]\ndefault_subnet_pools = [{'base' = 'x'}]\n", 2, "PREFIX_LENGTH"),
        ("[containers]\ncontainers.x = 1\n[engine]\nretry = 2.5\n", 4, "must be a whole number"),
    ],
)
def test_a_bad_value_is_named_by_file_line_and_key(
    machine: Machine, text: str, line: int, part: str
) -> None:
    path = machine.write("user/containers.conf", text)
    with pytest.raises(ConfigurationError) as caught:
        machine.load()
    assert str(caught.value).startswith(f"'{path}', line {line}: key '")
    assert part in str(caught.value)
    assert " --" not in str(caught.value)  # an option, which nobody has typed


@pytest.mark.parametrize(
    "text", ["[containers\n", "a = \n", "\x00", "[a]\n[a]\n", "x = " + "[" * 5000]
)
def test_a_file_that_is_not_toml_is_named(machine: Machine, text: str) -> None:
    path = machine.write("user/containers.conf", text)
    with pytest.raises(ConfigurationError, match=f"'{path}': is not valid TOML"):
        machine.load()


def test_a_file_that_cannot_be_read_is_named(machine: Machine) -> None:
    (machine.root / "user/containers.conf").mkdir(parents=True)
    with pytest.raises(
        ConfigurationError, match=r"user/containers\.conf': cannot be read: Is a directory"
    ):
        machine.load()


def test_keys_without_effect_are_told_once_each(
    machine: Machine, debug: None, capfd: pytest.CaptureFixture[str]
) -> None:
    path = machine.write(
        "user/containers.conf",
        "[containers]\ncolour = 1\nlabel = true\n[engine]\nnum_locks = 5\n[machine]\ncpus = 1\n[garden]\nx = 1\n",
    )
    machine.load()
    assert shown(capfd) == [
        f"debug: '{path}', line 2: key 'containers.colour' is unknown",
        f"debug: '{path}', line 3: key 'containers.label' has no effect in pod",
        f"debug: '{path}', line 5: key 'engine.num_locks' has no effect in pod",
        f"debug: '{path}', line 6: key 'machine' has no effect in pod",
        f"debug: '{path}', line 8: key 'garden' is unknown",
    ]


# --- the cache ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cached(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with a cache, on which no file counts as too young to be trusted."""
    monkeypatch.setattr(configuration_cache, "_YOUNG_NS", -(10**18))
    machine.options["cache"] = str(machine.root / "run/configuration")
    return machine


def cache_file(machine: Machine) -> Path:
    return machine.root / "run/configuration/settings.json"


def test_a_second_load_reads_no_configuration_file(
    cached: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached.write(
        "user/containers.conf", '[containers]\nlog_tag = "a"\n[engine.runtimes]\nx = ["/x"]\n'
    )
    first = cached.load()

    def refuse(source: Source) -> None:
        raise AssertionError(source.path)

    monkeypatch.setattr("pod.engine.configuration_schema.read_toml", refuse)
    assert cached.load() == first
    assert first.engine.runtime_paths("x") == ("/x",)
    assert cache_file(cached).stat().st_mode & 0o777 == 0o600


SAYS_B = '[containers]\nlog_tag = "b"\n'


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            lambda machine: machine.write("vendor/containers.conf", SAYS_B), "a", id="a weaker file"
        ),
        pytest.param(
            lambda machine: machine.write("user/containers.conf.d/z.conf", SAYS_B),
            "b",
            id="a new drop-in",
        ),
        pytest.param(
            lambda machine: machine.write("user/containers.conf.d/a.conf", SAYS_B),
            "b",
            id="a drop-in",
        ),
        pytest.param(
            lambda machine: machine.options.update(conf_override=machine.write("o", SAYS_B)),
            "b",
            id="variable",
        ),
        pytest.param(
            lambda machine: (machine.root / "user/containers.conf.d/a.conf").unlink(),
            "c",
            id="a removal",
        ),
    ],
)
def test_whatever_changes_is_seen(cached: Machine, change: Any, expected: str) -> None:
    cached.write("user/containers.conf", '[containers]\nlog_tag = "c"\n')
    cached.write("user/containers.conf.d/a.conf", '[containers]\nlog_tag = "a"\n')
    assert [cached.load().containers.log_tag, cached.load().containers.log_tag] == ["a", "a"]
    wait_for_the_clock(cached.root)
    change(cached)
    assert cached.load().containers.log_tag == expected


def wait_for_the_clock(directory: Path) -> None:
    """Until the file system would give a new file another time than it gave the last."""
    probe = directory / "probe"
    probe.touch()
    first = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == first:
        probe.touch()


def test_a_change_that_keeps_size_and_time_is_seen(cached: Machine) -> None:
    path = cached.write("user/containers.conf", '[containers]\nlog_tag = "a"\n')
    os.utime(path, LONG_AGO)
    assert cached.load().containers.log_tag == "a"
    wait_for_the_clock(cached.root)
    cached.write("user/containers.conf", '[containers]\nlog_tag = "b"\n')
    os.utime(path, LONG_AGO)
    assert cached.load().containers.log_tag == "b"


def test_young_files_are_not_cached(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_cache, "_YOUNG_NS", 3600 * 10**9)
    machine.options["cache"] = str(machine.root / "run/configuration")
    machine.write("user/containers.conf", '[containers]\nlog_tag = "a"\n')
    machine.load()
    assert not cache_file(machine).exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": 1, "key": 2, "files": 3}',
    ],
)
def test_a_garbled_cache_is_ignored(cached: Machine, data: bytes) -> None:
    cached.write("user/containers.conf", '[containers]\nlog_tag = "a"\n')
    cached.load()
    cache_file(cached).write_bytes(data)
    assert cached.load().containers.log_tag == "a"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("value", None),
        ("value", 5),
        ("value", {"containers": 5}),
        ("value", {"containers": {"log_tag": "evil"}, "engine": [1]}),
        ("files", [["x"]]),
        ("files", [[5, None]]),
        ("files", 7),
        ("format", "0"),
        ("key", []),
    ],
)
def test_a_cache_with_a_wrong_part_is_ignored(cached: Machine, field: str, value: Any) -> None:
    cached.write("user/containers.conf", '[containers]\nlog_tag = "a"\n')
    cached.load()
    document = json.loads(cache_file(cached).read_bytes())
    document[field] = value
    cache_file(cached).write_text(json.dumps(document))
    assert cached.load().containers.log_tag == "a"


def test_a_cache_that_cannot_be_written_does_no_harm(cached: Machine) -> None:
    cached.write("run", "a file where the directory would be")
    cached.write("user/containers.conf", '[containers]\nlog_tag = "a"\n')
    assert cached.load().containers.log_tag == "a"


@given(st.binary(max_size=200))
def test_any_cache_is_read_or_ignored(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "settings.json").write_bytes(data)
        assert configuration_cache.read(directory, "settings", ["key"]) is None


# --- places ---------------------------------------------------------------------------------------------------------


def test_places_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    places = find_places(
        {"XDG_CONFIG_HOME": "/c", "XDG_CACHE_HOME": "/k", "CONTAINERS_CONF": "x.conf"}
    )
    assert (places.user, places.conf) == ("/c/containers", "x.conf")
    assert (places.vendor, places.admin) == ("/usr/share/containers", "/etc/containers")
    monkeypatch.setenv("HOME", "/home/me")
    assert find_places({}).user == "/home/me/.config/containers"
    assert find_places({}, config_dir="/mine").user == "/mine"


def test_shipped_files_are_there() -> None:
    assert {"pod.conf", "registries.conf"} <= set(os.listdir(shipped_directory()))


def test_line_of_knows_tables() -> None:
    text = "a = 1\n[one]\nkey = 1\n\n[ two ]\n# key = 0\n  'key' = 2\nthree.key = 4\n"
    assert [
        line_of(text, "one", "key"),
        line_of(text, "two", "key"),
        line_of(text, "one", "none"),
    ] == [3, 7, 0]
    assert [line_of(text, "", "one"), line_of(text, "", "a")] == [2, 1]


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "[containers]\n",
                "env",
                "pids_limit",
                "=",
                "[",
                "]",
                '"a"',
                "1",
                "\n",
                "{append=true}",
            ]
        )
    ).map("".join)
)
def test_any_file_is_read_or_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        machine = Machine(Path(directory))
        machine.options["conf"] = machine.write("x.conf", text.encode("utf-8", "replace").decode())
        try:
            machine.load()
        except PodError as error:
            assert "x.conf" in error.message


def test_a_hit_loads_no_parser_and_no_grammar(cached: Machine) -> None:
    cached.write("user/containers.conf", '[containers]\nlog_tag = "a"\n')
    cached.load()
    places = cached.places
    program = (
        "import sys; from pod.engine.configuration_places import Places; "
        "from pod.engine.configuration import load_settings; "
        f"places = Places(**{places.__dict__!r}); "
        "assert load_settings(places).containers.log_tag == 'a'; "
        "print(*sorted({'tomllib', 'pod.engine.configuration_schema', 'pod.spec.mounts', 'dataclasses', 'typing', "
        "'pathlib', 'subprocess', 'tempfile'} & sys.modules.keys()))"
    )
    root = Path(configuration_cache.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_the_manual_page_names_every_key() -> None:
    page = (Path(configuration_cache.__file__).parents[2] / "man/pod-configuration.5.md").read_text(
        encoding="utf-8"
    )
    words = set(
        page.replace(",", " ").replace(".", " ").replace("]", " ").replace("[", " ").split()
    )
    known = {key for keys in configuration_schema.KEYS.values() for key in keys}
    idle = {key for keys in configuration_schema.WITHOUT_EFFECT.values() for key in keys}
    assert (known | idle) - words == set()
    assert not known & idle
    for record, table in (
        (ContainerDefaults, "containers"),
        (EngineSettings, "engine"),
        (NetworkSettings, "network"),
    ):
        assert set(record._fields) == set(configuration_schema.KEYS[table])
