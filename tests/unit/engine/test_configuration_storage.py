"""storage.conf: which of its files counts, what it may say, and what the environment and options change."""

from __future__ import annotations

import os

import pytest

from pod.base.errors import InvalidValue
from pod.engine.configuration import (
    ConfigurationError,
    StorageSettings,
)
from pod.engine.configuration_storage import with_storage_option
from tests.support.configured import Machine, shown

# --- storage.conf ---------------------------------------------------------------------------------------------------


def test_only_the_strongest_storage_file_is_read(machine: Machine) -> None:
    machine.write(
        "vendor/storage.conf",
        '[storage]\ndriver = "vfs"\n[storage.options]\nmount_program = "/v"\n',
    )
    assert machine.load().storage == StorageSettings(driver="vfs", mount_program="/v")
    machine.write("etc/storage.conf", '[storage]\ndriver = "overlay"\n')
    assert machine.load().storage == StorageSettings(driver="overlay")
    machine.write("user/storage.conf", '[storage.options.overlay]\nmountopt = "nodev"\n')
    assert machine.load().storage == StorageSettings(mountopt="nodev")
    machine.options["storage_conf"] = machine.write("x.conf", '[storage]\ngraphroot = "/x"\n')
    assert machine.load().storage == StorageSettings(graphroot="/x")


def test_a_user_does_not_take_the_directories_of_the_system(machine: Machine) -> None:
    text = (
        '[storage]\ngraphroot = "/var/g"\nrunroot = "/run/r"\nrootless_storage_path = "$HOME/s"\n'
    )
    machine.write("etc/storage.conf", text)
    assert machine.load().storage == StorageSettings(graphroot="$HOME/s")
    machine.options["rootless"] = False
    assert machine.load().storage == StorageSettings(graphroot="/var/g", runroot="/run/r")


def test_a_users_own_file_says_where_things_are(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.write(
        "user/storage.conf", '[storage]\ngraphroot = "$PLACE/g"\nrunroot = "/run/${UID}"\n'
    )
    storage = machine.load().storage
    monkeypatch.setenv("PLACE", "/srv")
    assert storage.root_directory() == "/srv/g/pod"
    assert storage.run_directory() == f"/run/{os.getuid()}/pod"
    assert StorageSettings().root_directory() == StorageSettings().run_directory() == ""


def test_drivers_of_others_leave_the_choice_to_pod(machine: Machine) -> None:
    machine.write("etc/storage.conf", '[storage]\ndriver = "btrfs"\n')
    assert machine.load().storage.driver == ""


def test_options_of_overlay_are_read_in_both_spellings(machine: Machine) -> None:
    text = """
[storage.options]
additionalimagestores = ["/a"]
mountopt = "old"
[storage.options.overlay]
mount_program = "/usr/bin/fuse-overlayfs"
mountopt = "new"
ignore_chown_errors = "true"
[storage.options.pull_options]
enable_partial_images = "false"
"""
    machine.write("user/storage.conf", text)
    assert machine.load().storage == StorageSettings(
        additionalimagestores=("/a",),
        mount_program="/usr/bin/fuse-overlayfs",
        mountopt="new",
        ignore_chown_errors=True,
        enable_partial_images=False,
    )


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("[storage]\ndriver = 'floppy'\n", 2, "key 'storage.driver' must be one of"),
        ("[storage]\ngraphroot = 1\n", 2, "must be a string"),
        ("storage = 1\n", 1, "must be a table"),
        ("[storage]\noptions = 1\n", 2, "must be a table"),
        ("[storage.options]\nadditionalimagestores = 'x'\n", 2, "must be a list of strings"),
        ("[storage.options.overlay]\nmount_program = 1\n", 2, "must be a string"),
        ("[storage.options.overlay]\nignore_chown_errors = 'maybe'\n", 2, "true or false"),
        ("[storage.options]\npull_options = 1\n", 2, "must be a table"),
        (
            "[storage.options.pull_options]\nenable_partial_images = 'x'\n",
            2,
            "true or false",
        ),
    ],
)
def test_a_bad_storage_value_is_named(machine: Machine, text: str, line: int, part: str) -> None:
    path = machine.write("user/storage.conf", text)
    with pytest.raises(ConfigurationError) as caught:
        machine.load()
    assert str(caught.value).startswith(f"'{path}', line {line}: key '")
    assert part in str(caught.value)


def test_storage_keys_without_effect_are_told(
    machine: Machine, debug: None, capfd: pytest.CaptureFixture[str]
) -> None:
    text = "[storage]\ntransient_store = true\nx = 1\n[storage.options.overlay]\nsize = '1g'\n"
    text += "[storage.options.pull_options]\nuse_hard_links = 'true'\n"
    path = machine.write("user/storage.conf", text)
    machine.load()
    assert shown(capfd) == [
        f"debug: '{path}', line 2: key 'storage.transient_store' has no effect in pod",
        f"debug: '{path}', line 3: key 'storage.x' is unknown",
        f"debug: '{path}', line 5: key 'storage.options.overlay.size' has no effect in pod",
        f"debug: '{path}', line 7: key 'storage.options.pull_options.use_hard_links' has no effect in pod",
    ]


def test_the_environment_beats_storage_files(machine: Machine) -> None:
    machine.write("user/storage.conf", '[storage]\ndriver = "overlay"\n')
    machine.options["storage_driver"] = "vfs"
    machine.options["storage_options"] = "overlay.mount_program=/x,overlay.mountopt=nodev"
    assert machine.load().storage == StorageSettings(
        driver="vfs", mount_program="/x", mountopt="nodev"
    )
    machine.options["storage_driver"] = "floppy"
    with pytest.raises(InvalidValue, match=r"\$STORAGE_DRIVER 'floppy'"):
        machine.load()


def test_storage_options_of_the_command_line() -> None:
    settings = with_storage_option(StorageSettings(), "overlay.ignore_chown_errors=true")
    assert settings.ignore_chown_errors
    for text in ("overlay.size=1g", "mount_program", "x"):
        with pytest.raises(InvalidValue, match="--storage-opt"):
            with_storage_option(settings, text)
