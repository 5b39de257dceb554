"""What a name means at one point of a build file: ARG and ENV, and what the command line gives.

Source: Dockerfile reference, "Scope", "Using ARG variables", "Predefined ARGs", "Automatic platform ARGs".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Usable without ARG, and neither in the history nor part of what a step is known by in the cache.
PROXIES = frozenset(
    spelling
    for name in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
    for spelling in (name, name.upper())
)
PLATFORM_ARGUMENTS = tuple(
    f"{side}{part}"
    for side in ("TARGET", "BUILD")
    for part in ("PLATFORM", "OS", "ARCH", "VARIANT")
)


def platform_arguments(build: str, target: str) -> dict[str, str]:
    """TARGETPLATFORM and so on, from platforms such as "linux/arm64" or "linux/arm/v7"."""
    values = {}
    for side, platform in (("BUILD", build), ("TARGET", target)):
        os_name, arch, variant = (*platform.split("/"), "", "")[:3]
        values[f"{side}PLATFORM"] = platform
        values[f"{side}OS"], values[f"{side}ARCH"] = os_name, arch
        values[f"{side}VARIANT"] = variant
    return values


class Variables:
    """The variables of one stage, from its FROM on: `declare` and `set` in the order of its instructions.

    `given` is what --build-arg said, `inherited` the values of ARGs before the first FROM and of the platform,
    `environment` what the base image has.
    """

    def __init__(
        self,
        given: Mapping[str, str],
        inherited: Mapping[str, str],
        environment: Mapping[str, str],
    ) -> None:
        self._given = given
        self._inherited = inherited
        self._arguments: dict[str, str] = {}
        self._environment = dict(environment)

    def declare(self, name: str, default: str | None) -> str | None:
        """ARG: its value from now on: that of the command line, else `default`, else that before the first FROM."""
        value = self._given.get(name, default)
        if value is None:
            value = self._inherited.get(name)
        if value is not None:
            self._arguments[name] = value
        else:
            self._arguments.pop(name, None)
        return value

    def set(self, name: str, value: str) -> None:
        """ENV: hides an ARG of the same name."""
        self._environment[name] = value

    @property
    def environment(self) -> dict[str, str]:
        """What ENV has set, and the base image."""
        return dict(self._environment)

    @property
    def arguments(self) -> dict[str, str]:
        """ARGs that have a value and are not hidden by ENV: they are in the environment of RUN alone."""
        return {
            name: value for name, value in self._arguments.items() if name not in self._environment
        }

    @property
    def declared(self) -> dict[str, str]:
        """All ARGs that have a value, with the one of ENV for those that it hides."""
        return {name: self._environment.get(name, value) for name, value in self._arguments.items()}

    @property
    def proxies(self) -> dict[str, str]:
        """Those of the predefined ARGs that were given: for RUN, without being part of its identity."""
        return {name: value for name, value in self._given.items() if name in PROXIES}

    def known(self) -> dict[str, str]:
        """What `$NAME` is replaced by."""
        return {**self.proxies, **self._arguments, **self._environment}


def unused(given: Iterable[str], declared: Iterable[str]) -> list[str]:
    """Names of --build-arg that no ARG asks for."""
    known = {*declared, *PROXIES, *PLATFORM_ARGUMENTS, "SOURCE_DATE_EPOCH"}
    return [name for name in given if name not in known and not name.startswith("BUILDKIT_")]
