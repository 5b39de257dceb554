"""A tree and a value -> text."""

from __future__ import annotations

from pod.cli.template.errors import Problem, TemplateError
from pod.cli.template.functions import FUNCTIONS, count_of_arguments
from pod.cli.template.parser import (
    Action,
    Branch,
    Call,
    Dot,
    Field,
    Function,
    Invoke,
    Jump,
    Literal,
    Pipeline,
    Text,
    Variable,
)
from pod.cli.template.values import NO_VALUE, call, field_of, is_true, kind_of, sorted_keys, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from pod.cli.template.parser import Node, Operand, Tree

_DEEPEST = 100  # templates that use templates
_NONE: tuple[Any, ...] = ()


class _Jumped(Exception):
    """break or continue, on its way to the innermost range."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def evaluate(tree: Tree, data: Any) -> str:
    """The text that the template gives for `data`; raises TemplateError."""
    run = _Run(tree, data)
    run.nodes(tree.nodes, data)
    return "".join(run.out)


class _Run:
    def __init__(self, tree: Tree, data: Any) -> None:
        self.tree = tree
        self.out: list[str] = []
        self.variables: list[tuple[str, Any]] = [("$", data)]
        self.depth = 0

    def fail(self, problem: str, offset: int) -> TemplateError:
        return TemplateError(problem, self.tree.text, offset)

    # Nodes

    def nodes(self, nodes: Sequence[Node], dot: Any) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self.out.append(node.text)
            elif isinstance(node, Action):
                value = self.pipeline(node.pipeline, dot)
                if not node.pipeline.variables:
                    self.out.append(self.printed(value, node.pipeline.offset))
            elif isinstance(node, Branch):
                self.branch(node, dot)
            elif isinstance(node, Invoke):
                self.invoke(node, dot)
            elif isinstance(node, Jump):
                raise _Jumped(node.kind)

    def printed(self, value: Any, offset: int) -> str:
        try:
            return text_of(value)
        except RecursionError as error:
            raise self.fail("the value is nested too deeply", offset) from error

    def branch(self, node: Branch, dot: Any) -> None:
        scope = len(self.variables)
        value = self.pipeline(node.pipeline, dot)
        if node.kind == "range":
            self.range(node, value, dot)
        elif not is_true(value):
            self.nodes(node.otherwise, dot)
        elif node.kind == "with":
            self.nodes(node.body, value)
        else:
            self.nodes(node.body, dot)
        del self.variables[scope:]

    def range(self, node: Branch, value: Any, dot: Any) -> None:
        scope, names = len(self.variables), node.pipeline.variables
        turned = False
        for key, item in self.items(value, node.offset):
            turned = True
            if names:
                self.bind(names[-1], item, declares=node.pipeline.declares)
            if len(names) > 1:
                self.bind(names[0], key, declares=node.pipeline.declares)
            try:
                self.nodes(node.body, item)
            except _Jumped as jump:
                if jump.kind == "break":
                    break
            finally:
                del self.variables[scope:]
        if not turned:
            self.nodes(node.otherwise, dot)

    def items(self, value: Any, offset: int) -> Iterable[tuple[Any, Any]]:
        """Keys and values in the order in which Go visits them."""
        if value is None or value is NO_VALUE:
            return ()
        if isinstance(value, dict):
            return ((key, field_of(value, key)) for key in sorted_keys(value))
        if isinstance(value, list | tuple):
            return enumerate(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return ((number, number) for number in range(value))
        raise self.fail(f"range cannot go through {kind_of(value)}", offset)

    def invoke(self, node: Invoke, dot: Any) -> None:
        nodes = self.tree.defined.get(node.name)
        if nodes is None:
            raise self.fail(f"the template '{node.name}' is not defined", node.offset)
        if self.depth >= _DEEPEST:
            raise self.fail("templates use one another too deeply", node.offset)
        value = self.pipeline(node.pipeline, dot) if node.pipeline is not None else NO_VALUE
        before, self.variables = self.variables, [("$", value)]
        self.depth += 1
        self.nodes(nodes, value)
        self.depth -= 1
        self.variables = before

    # Values

    def pipeline(self, pipeline: Pipeline, dot: Any) -> Any:
        final = _NONE
        for command in pipeline.commands:
            value = self.command(command, dot, final)
            final = (value,)
        for name in pipeline.variables:
            self.bind(name, value, declares=pipeline.declares)
        return value

    def bind(self, name: str, value: Any, *, declares: bool) -> None:
        """Declare a variable, or give the innermost one of this name another value."""
        if declares:
            self.variables.append((name, value))
            return
        for position in range(len(self.variables) - 1, -1, -1):
            if self.variables[position][0] == name:
                self.variables[position] = (name, value)
                return

    def command(self, operand: Operand, dot: Any, final: tuple[Any, ...]) -> Any:
        """An operand with its arguments and, at the end of them, the result of the command before."""
        arguments: tuple[Operand, ...] = ()
        if isinstance(operand, Call):
            arguments = operand.arguments
            operand = operand.what
        if isinstance(operand, Function):
            return self.function(operand, arguments, dot, final)
        values = [self.operand(argument, dot) for argument in arguments]
        values += final
        if isinstance(operand, Field):
            return self.field(operand, dot, values)
        if values:
            raise self.fail("what is called is no function", operand.offset)
        return self.operand(operand, dot)

    def operand(self, operand: Operand, dot: Any) -> Any:
        if isinstance(operand, Field):
            return self.field(operand, dot, ())
        if isinstance(operand, Dot):
            return dot
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, Variable):
            return next(value for name, value in reversed(self.variables) if name == operand.name)
        if isinstance(operand, Pipeline):
            scope = len(self.variables)
            value = self.pipeline(operand, dot)
            del self.variables[scope:]
            return value
        return self.command(operand, dot, _NONE)

    def field(self, field: Field, dot: Any, arguments: Sequence[Any]) -> Any:
        receiver = self.operand(field.of, dot)
        try:
            return field_of(receiver, field.name, arguments)
        except Problem as problem:
            raise self.fail(str(problem), field.offset) from problem

    def function(
        self, function: Function, arguments: tuple[Operand, ...], dot: Any, final: tuple[Any, ...]
    ) -> Any:
        name, count = function.name, len(arguments) + len(final)
        if name in ("and", "or"):
            return self.short_circuit(function, arguments, dot, final)
        values = [*(self.operand(argument, dot) for argument in arguments), *final]
        if name == "call":
            if not values or not callable(values[0]):
                raise self.fail("'call' needs a function", function.offset)
            try:
                return call(values[0], values[1:], "call")
            except Problem as problem:
                raise self.fail(str(problem), function.offset) from problem
        least, most = count_of_arguments(name)
        if count < least or (most is not None and count > most):
            expected = f"{least}" if least == most else f"at least {least}"
            plural = "" if least == 1 else "s"
            message = f"'{name}' takes {expected} argument{plural}, not {count}"
            raise self.fail(message, function.offset)
        try:
            return FUNCTIONS[name](*values)
        except Problem as problem:
            raise self.fail(f"'{name}': {problem}", function.offset) from problem
        except RecursionError as error:
            raise self.fail(f"'{name}': the value is nested too deeply", function.offset) from error

    def short_circuit(
        self, function: Function, arguments: tuple[Operand, ...], dot: Any, final: tuple[Any, ...]
    ) -> Any:
        """and, or: the first value that decides, and nothing behind it is evaluated."""
        stops_at = function.name == "or"
        value: Any = NO_VALUE
        if not arguments and not final:
            raise self.fail(f"'{function.name}' takes at least 1 argument", function.offset)
        for argument in arguments:
            value = self.operand(argument, dot)
            if is_true(value) == stops_at:
                return value
        return final[0] if final else value
