#!/usr/bin/env bash
# Make this machine ready: packages, the test user, device modes, .venv. Running it again changes nothing and is quick.
#
#   tests/support/machine.sh run     what ./try needs: the engine's packages, image tools, .venv with pod in it
#   tests/support/machine.sh test    and what the tests need: the peers, pytest and the other checkers
#   tests/support/machine.sh user    the test user and the device modes alone (root)
#   tests/support/machine.sh venv    .venv alone
#
# As root, with sudo, or as an ordinary user where no package is missing. Debian 12, Ubuntu 22.04 and Fedora, and later.
# It changes nothing outside the checkout but this: packages are installed; as root, a user is made and /dev/net/tun
# and /dev/fuse get the modes that distributions give them, and for the tests a user may have 2000 keys; where AppArmor
# keeps user namespaces from ordinary programs, a profile allows them to this checkout's interpreter.
set -euo pipefail

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
TEST_USER=${POD_TEST_USER:-podtest}

main() {
    case ${1:-} in
        run) packages engine images; user_and_devices; venv plain; registry_program ;;
        test) packages engine images tests vm; user_and_devices; many_keys; venv dev; registry_program ;;
        user) user_and_devices ;;
        venv) venv dev ;;
        *) fail "usage: machine.sh run|test|user|venv" ;;
    esac
}

# Run a command and show what it said only when it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 || status=$?
    [ "$status" = 0 ] || cat "$log" >&2
    rm -f "$log"
    return "$status"
}

say() { printf 'machine: %s\n' "$*" >&2; }
fail() { printf 'machine: %s\n' "$*" >&2; exit 1; }

# ----------------------------------------------------------------------------------------------------------- packages

# One list for each purpose, so that a reader sees what the engine itself needs.
wanted() {  # FAMILY PURPOSE: one package a line; "a|b" is the first of them that exists
    case $1:$2 in
        debian:engine) printf '%s\n' python3 python3-venv uidmap 'passt|slirp4netns' slirp4netns libseccomp2 ca-certificates \
            iproute2 ;;
        debian:images) printf '%s\n' mmdebstrap busybox-static curl ;;
        debian:tests) printf '%s\n' podman podman-compose crun runc slirp4netns fuse-overlayfs catatonit skopeo \
            apache2-utils openssl git nftables tmux procps strace zsh fish gnupg openssh-server openssh-client systemd xfsprogs ;;
        debian:vm) [ "$(uname -m)" != x86_64 ] || printf '%s\n' qemu-system-x86 e2fsprogs ;;
        fedora:engine) printf '%s\n' python3 shadow-utils 'passt|slirp4netns' slirp4netns libseccomp ca-certificates \
            iproute ;;
        fedora:images) printf '%s\n' busybox curl docker-distribution ;;
        fedora:tests) printf '%s\n' podman podman-compose crun runc slirp4netns fuse-overlayfs catatonit skopeo \
            httpd-tools openssl git nftables tmux procps-ng strace zsh fish gnupg2 openssh-server openssh-clients systemd xfsprogs ;;
    esac
}

family() {
    local ID="" ID_LIKE=""
    # shellcheck source=/dev/null
    . /etc/os-release
    case " $ID $ID_LIKE " in
        *\ debian\ * | *\ ubuntu\ *) echo debian ;;
        *\ fedora\ *) echo fedora ;;
        *) fail "'$ID' is not Debian, Ubuntu or Fedora; install by hand: $(wanted debian engine | tr '\n' ' ')" ;;
    esac
}

is_installed() {
    case $1 in
        debian) [ "$(dpkg-query -W -f '${Status}' "$2" 2>/dev/null)" = "install ok installed" ] ;;
        fedora) rpm -q --whatprovides "$2" >/dev/null 2>&1 ;;
    esac
}

packages() {
    local kind missing=() purpose line
    kind=$(family)
    for purpose in "$@"; do
        while read -r line; do
            any_installed "$kind" "$line" || missing+=("$line")
        done < <(wanted "$kind" "$purpose")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    case $kind in
        debian) install_debian "${missing[@]}" ;;
        fedora) quietly as_root dnf install -y --setopt=install_weak_deps=False "${missing[@]//|*/}" ;;
    esac || fail "the packages could not be installed; is this machine offline? Missing: ${missing[*]}"
}

any_installed() {
    local name names
    IFS='|' read -ra names <<<"$2"
    for name in "${names[@]}"; do
        is_installed "$1" "$name" && return 0
    done
    return 1
}

install_debian() {
    local line name names=() chosen
    quietly as_root apt-get -q update || return 1
    for line in "$@"; do
        chosen=
        for name in ${line//|/ }; do
            [ -n "$(apt-cache policy "$name" | sed -n 's/^  Candidate: (none)$//; s/^  Candidate: //p')" ] || continue
            chosen=$name
            break
        done
        [ -n "$chosen" ] || { say "no package is called '${line//|/\' or \'}'"; return 1; }
        names+=("$chosen")
    done
    quietly as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-install-recommends install "${names[@]}"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "this needs root, and there is no sudo: $*"
        return 1
    fi
}

# Debian's docker-registry would start a service on port 5000 of a machine with systemd, so it is unpacked, not installed.
registry_program() {
    command -v docker-registry >/dev/null || command -v registry >/dev/null ||
        [ -x "$TREE/.venv/tools/usr/bin/docker-registry" ] || unpack_debian docker-registry
}

# Put the files of a Debian package under .venv/tools without installing it.
unpack_debian() {
    local directory name
    [ "$(family)" = debian ] || fail "'$1' is not installed"
    say "unpacking the package $* into .venv/tools"
    directory=$(mktemp -d)
    chmod 0755 "$directory"
    if ! (cd "$directory" && apt-get -q download "$@") >/dev/null 2>&1; then
        quietly as_root apt-get -q update && (cd "$directory" && quietly apt-get -q download "$@") ||
            fail "the package $* could not be downloaded; is this machine offline?"
    fi
    for name in "$directory"/*.deb; do
        dpkg -x "$name" "$TREE/.venv/tools"
    done
    rm -rf "$directory"
}

# ---------------------------------------------------------------------------------------------- test user and devices

user_and_devices() {
    if [ "$(id -u)" = 0 ]; then
        make_user
        open_device /dev/net/tun
        open_device /dev/fuse
    elif ! grep -q "^$(id -un):" /etc/subuid 2>/dev/null && ! command -v getsubids >/dev/null; then
        say "you have no line in /etc/subuid; type: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un)"
    fi
}

# Each container has a keyring, of which a user may have 200: as many as one test has containers. Beside it crun, which
# does not go on without one, would have none.
many_keys() {
    local most=/proc/sys/kernel/keys/maxkeys
    [ "$(id -u)" = 0 ] && [ -e "$most" ] && [ "$(cat "$most")" -lt 2000 ] || return 0
    echo 2000 2>/dev/null >"$most" || say "the user may not have more keys: 200 containers beside crun may be too many"
}

make_user() {
    local number runtime
    if ! getent passwd "$TEST_USER" >/dev/null; then
        say "making the user '$TEST_USER'"
        useradd --create-home --shell /bin/bash "$TEST_USER"
    fi
    local file
    for file in subuid subgid; do
        grep -q "^$TEST_USER:" "/etc/$file" 2>/dev/null && continue
        say "giving '$TEST_USER' a range in /etc/$file"
        printf '%s:%s:65536\n' "$TEST_USER" "$(first_free "/etc/$file")" >>"/etc/$file"
    done
    number=$(id -u "$TEST_USER")
    runtime=/run/user/$number
    if ! [ -d "$runtime" ]; then
        mkdir -p /run/user
        install -d -m 0700 -o "$TEST_USER" -g "$(id -g "$TEST_USER")" "$runtime"
    fi
    [ "$(stat -c %u "$runtime")" = "$number" ] || fail "'$runtime' does not belong to '$TEST_USER'"
    chmod u+rwx "$runtime"
}

first_free() {  # the first subordinate id after all ranges of the file, at least 100000
    awk -F: 'BEGIN { free = 100000 } $2 + $3 > free { free = $2 + $3 } END { print free }' "$1" 2>/dev/null || echo 100000
}

open_device() {
    [ -c "$1" ] || { say "'$1' does not exist; what needs it will be skipped"; return 0; }
    [ "$(stat -c %a "$1")" = 666 ] && return 0
    say "chmod 0666 $1"
    chmod 0666 "$1"
}

# ---------------------------------------------------------------------------------------------------------------- .venv

venv() {
    local kind=$1 python=$TREE/.venv/bin/python
    unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        local base
        base=$(find_python)
        say "making .venv with $base"
        rm -rf "$TREE/.venv"
        if is_confined; then  # the profile below names a path, so the interpreter must be a file of its own
            "$base" -m venv --copies "$TREE/.venv"
        else
            "$base" -m venv "$TREE/.venv"
        fi || fail "'$base -m venv' failed; on Debian and Ubuntu it needs the package python3-venv"
    fi
    allow_user_namespaces
    install_dependencies "$kind" "$python"
    install_pod "$python"
}

find_python() {
    local name path
    for name in /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        path=$(command -v "$name") || continue
        "$path" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || continue
        echo "$path"
        return
    done
    fail "no Python 3.10 or later was found; Debian 12, Ubuntu 22.04 and Fedora have one as /usr/bin/python3"
}

# Dependencies only when pyproject.toml changed: each kind has its own mark, and dev includes plain.
install_dependencies() {
    local mark=$TREE/.venv/.pod-$1 sum names
    sum=$(sha256sum <"$TREE/pyproject.toml")
    if [ "$(cat "$mark" "$TREE/.venv/.pod-dev" 2>/dev/null | head -n 1)" = "$sum" ]; then return; fi
    say "installing the Python packages of pyproject.toml ($1)"
    "$2" -m pip --version >/dev/null 2>&1 || fail "'$2' has no pip"
    mapfile -t names < <(requirements "$2" "$1")
    "$2" -m pip install -q -q --disable-pip-version-check --compile "${names[@]}" >&2 ||
        fail "pip could not install: ${names[*]}; is this machine offline?"
    # Setuptools leaves a hook that runs at every start of Python and costs 2 ms of it; pipx has no such thing.
    rm -f "$TREE"/.venv/lib/python*/site-packages/distutils-precedence.pth
    echo "$sum" >"$mark"
}

requirements() {  # PYTHON KIND: tomllib is missing in 3.10, and pip brings its own reader
    "$1" - "$TREE/pyproject.toml" "$2" <<'PYTHON'
import sys

try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib
with open(sys.argv[1], "rb") as file:
    document = tomllib.load(file)
print(*document["project"]["dependencies"], sep="\n")
if sys.argv[2] == "dev":
    print(*document["project"]["optional-dependencies"]["dev"], sep="\n")
print("setuptools>=70.1")  # the first that builds wheels alone; install_pod builds with what is in .venv
print("pip>=25.1")  # the program that older ones write imports `re`, 4 ms of every start
PYTHON
}

# Not editable: an editable installation costs 11 ms at every start. Again whenever a file of it has changed.
install_pod() {
    local mark=$TREE/.venv/.pod-installed sum
    sum=$(cd "$TREE" && find pod storage netns conf pyproject.toml -type f ! -name '*.pyc' -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
    if [ -x "$TREE/.venv/bin/pod" ] && [ "$(cat "$mark" 2>/dev/null)" = "$sum" ]; then return; fi
    say "installing pod into .venv"
    # In a copy, so that no stale file of an earlier build is packed and the checkout stays as it is.
    local copy
    copy=$(mktemp -d)
    cp -R "$TREE"/{pod,storage,netns,conf,pyproject.toml} "$copy"
    touch "$copy/README.md"
    cp "$TREE/README.md" "$TREE/LICENSE" "$copy" 2>/dev/null || true
    if ! "$1" -m pip install -q -q --disable-pip-version-check --no-build-isolation --no-deps --force-reinstall \
        --no-warn-script-location --compile "$copy" >&2; then
        rm -rf "$copy"
        fail "pip could not install pod"
    fi
    rm -rf "$copy"
    local directory
    directory=$("$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    write_launcher "$1" "$directory" pod pod.__main__
    write_launcher "$1" "$directory" pod-runtime pod.runtime.cli
    write_launcher "$1" "$directory" pod-system-generator pod.quadlet.generator
    "$1" -m compileall -q "$TREE/.venv/lib" >/dev/null || true  # files for other Python versions do not compile
    echo "$sum" >"$mark"
}

# In place of pip's programs, which cannot have options for the interpreter: without site.py, a fifth of the time that
# Python needs to start, and without PYTHON* variables; and by pod's own finder of modules, without Python's search of
# three directories for it. Pip's stay where the first line would be too long for the kernel.
write_launcher() {  # PYTHON SITE-PACKAGES PROGRAM MODULE
    [ ${#1} -lt 120 ] && [ "${1#* }" = "$1" ] || return 0
    cat >"$TREE/.venv/bin/$3.new" <<PROGRAM
#!$1 -IS
import sys
from _frozen_importlib import _load
from _frozen_importlib_external import spec_from_file_location
sys.path.append("$2")
_load(spec_from_file_location("pod.base.modules", "$2/pod/base/modules.py")).install()
from $4 import main
sys.exit(main())
PROGRAM
    chmod 0755 "$TREE/.venv/bin/$3.new"
    mv "$TREE/.venv/bin/$3.new" "$TREE/.venv/bin/$3"
}

# Ubuntu 24.04 and later: an ordinary program gets no capabilities in a new user namespace unless a profile allows it.
is_confined() {
    [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" = 1 ]
}

allow_user_namespaces() {
    is_confined || return 0
    local profile
    profile=/etc/apparmor.d/pod-$(printf %s "$TREE" | sha256sum | cut -c 1-12)
    [ -e "$profile" ] && return 0
    say "allowing user namespaces to $TREE/.venv/bin/python3 ($profile)"
    as_root tee "$profile" >/dev/null <<PROFILE
abi <abi/4.0>,
include <tunables/global>
profile ${profile##*/} "$TREE/.venv/bin/python*" flags=(unconfined) {
  userns,
}
PROFILE
    as_root apparmor_parser -r "$profile" || fail "the AppArmor profile '$profile' was not accepted"
}

main "$@"
