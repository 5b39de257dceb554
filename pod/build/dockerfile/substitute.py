"""Instructions with their variables replaced. Which of an instruction's parts are replaced, the reference says:

ADD, COPY, ENV, EXPOSE, FROM, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR and the defaults of ARG are; what a shell or a
program gets (RUN, CMD, ENTRYPOINT, SHELL, HEALTHCHECK) and ONBUILD are not.
"""

from __future__ import annotations

from pod.build.dockerfile import instructions as kinds
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.expand import ExpansionError, Names, expand, expand_heredoc, expand_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    from pod.build.dockerfile.instructions import Instruction, Pair, Place

    Some = TypeVar("Some", bound=Instruction)


class Substitution:
    """Replaces variables by `variables`, for one instruction."""

    def __init__(self, variables: Mapping[str, str], escape: str = "\\") -> None:
        self._variables = variables
        self._escape = escape
        self._names = Names()

    @property
    def used(self) -> set[str]:
        """The names that were looked up."""
        return self._names.used

    @property
    def missing(self) -> set[str]:
        """Those of them that had no value where nothing stands in for one."""
        return self._names.missing

    def text(self, text: str, place: Place) -> str:
        """One word. Raises DockerfileError with `place`."""
        try:
            return expand(text, self._variables, self._escape, names=self._names)
        except ExpansionError as error:
            raise DockerfileError(place, error.message) from error

    def words(self, text: str, place: Place) -> list[str]:
        """`text` cut at blanks, those in values included. Raises DockerfileError with `place`."""
        try:
            return expand_words(text, self._variables, self._escape, names=self._names)
        except ExpansionError as error:
            raise DockerfileError(place, error.message) from error

    def heredoc(self, text: str, place: Place) -> str:
        try:
            return expand_heredoc(text, self._variables, self._escape, names=self._names)
        except ExpansionError as error:
            raise DockerfileError(place, error.message) from error

    def instruction(self, given: Some) -> Some:
        """`given` with all replaced that is replaced in its kind. Raises DockerfileError."""
        changes = self._changes(given)
        return given.replace(**changes) if changes else given

    def _changes(self, given: Instruction) -> dict[str, object]:
        place = given.place
        if isinstance(given, kinds.Env | kinds.Label | kinds.Arg):
            return {"pairs": self._pairs(given.pairs, place)}
        if isinstance(given, kinds.Copy | kinds.Add):
            return self._files(given)
        if isinstance(given, kinds.From):
            return {
                "image": self.text(given.image, place),
                "platform": self.text(given.platform, place),
            }
        if isinstance(given, kinds.Expose):
            words = [word for port in given.ports for word in self.words(port, place)]
            return {"ports": tuple(words)}
        if isinstance(given, kinds.Volume):
            return {"paths": tuple(self.text(path, place) for path in given.paths)}
        field = _SINGLE.get(type(given))
        if field is None:
            return {}
        return {field: self.text(getattr(given, field), place)}

    def _pairs(self, pairs: tuple[Pair, ...], place: Place) -> tuple[Pair, ...]:
        found = []
        for pair in pairs:
            name = self.text(pair.name, place)
            if not name:
                raise DockerfileError(place, f"the name '{pair.name}' is empty")
            value = None if pair.value is None else self.text(pair.value, place)
            found.append(kinds.Pair(name=name, value=value))
        return tuple(found)

    def _files(self, given: kinds.Copy | kinds.Add) -> dict[str, object]:
        place = given.place
        names = {heredoc.name for heredoc in given.heredocs}
        changes: dict[str, object] = {
            "sources": tuple(
                source if names and source.startswith("<<") else self.text(source, place)
                for source in given.sources
            ),
            "target": self.text(given.target, place),
            "chown": self.text(given.chown, place),
            "chmod": self.text(given.chmod, place),
            "exclude": tuple(self.text(pattern, place) for pattern in given.exclude),
            "heredocs": tuple(
                heredoc.replace(content=self.heredoc(heredoc.text, place), chomp=False)
                if heredoc.expand
                else heredoc
                for heredoc in given.heredocs
            ),
        }
        if isinstance(given, kinds.Copy):
            changes["from_"] = self.text(given.from_, place)
        else:
            changes["checksum"] = self.text(given.checksum, place)
        if not changes["target"] or not all(changes["sources"]):  # type: ignore[arg-type]
            raise DockerfileError(
                place, f"a path of {given.word.upper()} is empty when its variables are replaced"
            )
        return changes


_SINGLE: dict[type[Instruction], str] = {
    kinds.Workdir: "path",  # where nothing is left, the directory stays
    kinds.User: "user",  # and the user is root again
    kinds.StopSignal: "signal",
}
