"""Credential helpers: programs `docker-credential-NAME` that keep passwords in a safer place than a file.

The protocol is docker's: the action is the argument, its subject comes on standard input, the answer is on standard
output, and a status other than 0 is a failure.
"""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SECONDS = 60
_SHOWN = 200  # characters of its own words
# The one answer that means "not here" and not "broken"; the protocol has no other way to say it.
_NOT_FOUND = "credentials not found in native keychain"


class HelperError(PodError):
    """A credential helper that failed."""

    def __init__(self, helper: str, server: str, why: str, hint: str | None = None) -> None:
        about = f" for '{server}'" if server else ""
        super().__init__(f"the credential helper '{helper}' failed{about}: {why}", hint=hint)


def get(helper: str, server: str) -> tuple[str, str] | None:
    """The user name and the secret that the helper has for `server`, or None. Raises HelperError."""
    text = _call(helper, "get", server, f"{server}\n")
    if text is None:
        return None
    answer = _object(helper, server, text)
    username, secret = answer.get("Username"), answer.get("Secret")
    if not isinstance(username, str) or not isinstance(secret, str):
        raise HelperError(helper, server, "its answer is not what it should be")
    return username, secret


def store(helper: str, server: str, username: str, secret: str) -> None:
    """Have the helper keep a user name and a secret. Raises HelperError."""
    import json

    document = {"ServerURL": server, "Username": username, "Secret": secret}
    _call(helper, "store", server, json.dumps(document))


def erase(helper: str, server: str) -> None:
    """Have the helper forget `server`; that it does not know it is no error. Raises HelperError."""
    _call(helper, "erase", server, f"{server}\n")


def servers(helper: str) -> list[str]:
    """All for which the helper has something. Raises HelperError."""
    text = _call(helper, "list", "", "")
    return list(_object(helper, "", text or "{}"))


def _object(helper: str, server: str, text: str) -> dict[str, Any]:
    import json

    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HelperError(helper, server, "its answer is not what it should be") from error
    if not isinstance(answer, dict):
        raise HelperError(helper, server, "its answer is not what it should be")
    return answer


def _call(helper: str, action: str, server: str, sent: str) -> str | None:
    """What the helper prints; None when it says that it does not know the server. Raises HelperError."""
    import subprocess  # heavy

    program = f"docker-credential-{helper}"
    if "/" in helper:
        raise HelperError(helper, server, "its name has a slash")
    try:
        done = subprocess.run(
            [program, action],
            input=sent,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        why = f"'{program}' is not installed"
        hint = (
            f"install it, or take '{helper}' out of credsStore, credHelpers and credential-helpers"
        )
        raise HelperError(helper, server, why, hint) from None
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise HelperError(helper, server, str(error)) from error
    if done.returncode == 0:
        return done.stdout
    answer = done.stdout.strip()
    if answer == _NOT_FOUND:
        return None
    said = (answer or done.stderr.strip()).rpartition("\n")[2][:_SHOWN]
    why = f"'{program} {action}' ended with status {done.returncode}"
    raise HelperError(helper, server, said or why)
