"""Options about signing what is pushed."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.image.trust.sign import Signing

OPTIONS = (
    Option(("--sign-by",), "text", "Sign the image with a key of your gpg", metavar="KEY"),
    Option(
        ("--sign-by-sigstore",),
        "text",
        "Sign the image with the sigstore key that a file of parameters names",
        metavar="FILE",
        completes="file",
    ),
    Option(
        ("--sign-by-sigstore-private-key",),
        "text",
        "Sign the image with a sigstore key in a file",
        metavar="FILE",
        completes="file",
    ),
    Option(("--sign-by-sq-fingerprint",), "text", refused="pod signs with gpg, not with Sequoia"),
    Option(
        ("--sign-passphrase-file",),
        "text",
        "File with the passphrase of the key",
        metavar="FILE",
        completes="file",
    ),
)


def of(arguments: Arguments) -> Signing | None:
    """What the options say; None when nothing shall be signed. Raises UsageError."""
    words = ("sign_by", "sign_by_sigstore_private_key", "sign_passphrase_file")
    gpg_key, sigstore_key, passphrase_file = (arguments.text(word) or "" for word in words)
    parameters = arguments.text("sign_by_sigstore") or ""
    if not (gpg_key or sigstore_key or passphrase_file or parameters):
        return None
    from pod.image.trust.sign import Signing, read_parameters  # few images are signed

    if parameters and (gpg_key or sigstore_key or passphrase_file):
        raise UsageError("--sign-by-sigstore excludes the other options to sign with")
    if parameters:
        return read_parameters(parameters)
    signing = Signing(gpg_key, sigstore_key, passphrase_file)
    signing.check()
    return signing
