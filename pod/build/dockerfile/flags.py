"""The options between an instruction's name and its arguments, such as `--chown=web`."""

from __future__ import annotations

from pod.base.suggest import did_you_mean
from pod.build.dockerfile.errors import DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.build.dockerfile.instructions import Place
    from pod.build.dockerfile.words import Flag


class Flags:
    """The flags of one instruction; each is asked for by the method of its kind, then `finish` refuses the rest."""

    def __init__(self, flags: Iterable[Flag], instruction: str, place: Place) -> None:
        self._flags = list(flags)
        self._instruction = instruction
        self._place = place
        self._known: list[str] = []

    def text(self, name: str) -> str:
        """The value of a flag that may be given once, or ""."""
        values = self.texts(name)
        if len(values) > 1:
            self.refuse(f"--{name} is given twice")
        return values[0] if values else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """The values of a flag that may be given several times."""
        self._known.append(name)
        values = []
        for flag in self._flags:
            if flag.name == name:
                if flag.value is None:
                    self.refuse(f"--{name} needs a value: --{name}=VALUE")
                values.append(flag.value or "")
        return tuple(values)

    def boolean(self, name: str) -> bool | None:
        """`--name` and `--name=true` are true; None if it was not given."""
        self._known.append(name)
        values = [flag.value for flag in self._flags if flag.name == name]
        if len(values) > 1:
            self.refuse(f"--{name} is given twice")
        if not values:
            return None
        if values[0] not in (None, "true", "false"):
            self.refuse(f"--{name} is 'true' or 'false', not '{values[0]}'")
        return values[0] != "false"

    def finish(self) -> None:
        """Refuse what nobody asked for."""
        for flag in self._flags:
            if flag.name not in self._known:
                ending = did_you_mean(f"--{flag.name}", [f"--{name}" for name in self._known])
                self.refuse(f"{self._instruction} has no option '--{flag.name}'{ending}")

    def refuse(self, problem: str) -> None:
        raise DockerfileError(self._place, problem)
