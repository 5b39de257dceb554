"""Tokens -> a tree. The nodes say what to do in the order of the text; `evaluate.py` does it.

Source of the grammar: text/template of Go, "Actions", "Pipelines", "Variables", "Nested template definitions".
"""

from __future__ import annotations

from pod.base.records import Record
from pod.cli.template.errors import TemplateError
from pod.cli.template.functions import NAMES
from pod.cli.template.lexer import Token, tokenize
from pod.cli.template.literals import read_number, unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_DEEPEST = 60  # nested blocks and parentheses; each level is a few Python frames
_KEYWORDS = frozenset("if else end range with define template block break continue nil".split())


class Literal(Record):
    """A number, a string, a boolean; `nil` is None."""

    value: Any
    offset: int


class Variable(Record):
    """`$name`, or `$`, the value that the whole template was given."""

    name: str
    offset: int


class Dot(Record):
    """The value at hand."""

    offset: int


class Field(Record):
    """`.Name` of what `of` gives."""

    of: Operand
    name: str
    offset: int


class Function(Record):
    """A function by name, called without arguments or first in a command."""

    name: str
    offset: int


class Call(Record):
    """An operand with arguments: a function, or a field that is one."""

    what: Operand
    arguments: tuple[Operand, ...]
    offset: int


class Pipeline(Record):
    """Commands, each of which gets the result of the one before as its last argument; then variables are set."""

    commands: tuple[Operand, ...]
    variables: tuple[str, ...]
    declares: bool
    offset: int


Operand = Literal | Variable | Dot | Field | Function | Call | Pipeline


class Text(Record):
    text: str


class Action(Record):
    pipeline: Pipeline


class Branch(Record):
    """if, with or range: what follows when there is something, and what when there is nothing."""

    kind: str
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    offset: int


class Invoke(Record):
    """`{{template "name" pipeline}}`."""

    name: str
    pipeline: Pipeline | None
    offset: int


class Jump(Record):
    """break or continue."""

    kind: str


Node = Text | Action | Branch | Invoke | Jump


class Tree(Record):
    """A parsed template: its nodes, and those of the templates that it defines."""

    text: str
    nodes: tuple[Node, ...]
    defined: dict[str, tuple[Node, ...]]


def parse(text: str) -> Tree:
    """The tree of a template; raises TemplateError."""
    return _Parser(text).tree()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.position = 0
        self.depth = 0
        self.loops = 0
        self.variables = ["$"]
        self.defined: dict[str, tuple[Node, ...]] = {}

    def tree(self) -> Tree:
        nodes, _ = self.block(())
        return Tree(self.text, nodes, self.defined)

    def fail(self, problem: str, token: Token) -> NoReturn:
        raise TemplateError(problem, self.text, token.offset)

    def next(self) -> Token:
        token = self.tokens[self.position]
        self.position += 1
        return token

    def peek(self) -> Token:
        return self.tokens[self.position]

    def expect_end(self, what: str) -> None:
        token = self.next()
        if token.kind != "end":
            self.fail(f"'{token.text}' cannot follow {what}", token)

    # Blocks

    def block(
        self, stops: tuple[str, ...], opened: Token | None = None
    ) -> tuple[tuple[Node, ...], str]:
        """The nodes up to one of the keywords `stops`, or to the end of the text; and that keyword.

        The keyword is consumed, the rest of its action is not.
        """
        if self.depth > _DEEPEST:
            self.fail("the blocks are nested too deeply", self.peek())
        self.depth += 1
        scope = len(self.variables)
        nodes: list[Node] = []
        while True:
            token = self.next()
            if token.kind == "text":
                nodes.append(Text(token.text))
            elif token.kind == "end":
                if opened is not None:
                    self.fail(f"'{opened.text}' has no 'end'", opened)
                keyword = ""
                break
            else:
                word = self.peek()
                if word.kind == "name" and word.text in ("end", "else"):
                    self.position += 1
                    if word.text not in stops:
                        self.fail(f"'{word.text}' ends nothing", word)
                    keyword = word.text
                    break
                node = self.action(word)
                if node is not None:
                    nodes.append(node)
        del self.variables[scope:]
        self.depth -= 1
        return tuple(nodes), keyword

    def action(self, word: Token) -> Node | None:
        if word.kind == "name" and word.text in _KEYWORDS and word.text != "nil":
            self.position += 1
            if word.text in ("if", "with", "range"):
                return self.branch(word)
            if word.text in ("break", "continue"):
                if not self.loops:
                    self.fail(f"'{word.text}' stands outside of a 'range'", word)
                self.expect_end(f"'{word.text}'")
                return Jump(word.text)
            if word.text == "template":
                return self.invoke(word)
            return self.define(word)
        pipeline = self.pipeline("an action")
        self.expect_end("the end of a pipeline")
        return Action(pipeline)

    def branch(self, word: Token) -> Branch:
        scope = len(self.variables)
        pipeline = self.pipeline(f"'{word.text}'", ranging=word.text == "range")
        self.expect_end("the end of a pipeline")
        self.loops += word.text == "range"
        body, keyword = self.block(("end", "else"), word)
        self.loops -= word.text == "range"
        otherwise: tuple[Node, ...] = ()
        if keyword == "else":
            again = self.peek()
            if again.kind == "name" and again.text == word.text and word.text in ("if", "with"):
                # `else if` is an `if` inside the `else`, and one `end` ends both.
                self.position += 1
                if self.depth > _DEEPEST:
                    self.fail("the blocks are nested too deeply", again)
                self.depth += 1
                otherwise = (self.branch(again),)
                self.depth -= 1
                del self.variables[scope:]
                return Branch(word.text, pipeline, body, otherwise, word.offset)
            self.expect_end("'else'")
            otherwise, _ = self.block(("end",), word)
        self.expect_end("'end'")
        del self.variables[scope:]
        return Branch(word.text, pipeline, body, otherwise, word.offset)

    def invoke(self, word: Token) -> Invoke:
        name = self.name(word)
        pipeline = None if self.peek().kind == "end" else self.pipeline("'template'")
        self.expect_end("the end of a pipeline")
        return Invoke(name, pipeline, word.offset)

    def define(self, word: Token) -> Invoke | None:
        """define keeps a template for later; block does, and uses it here."""
        name = self.name(word)
        pipeline = self.pipeline("'block'") if word.text == "block" else None
        self.expect_end(f"'{word.text}'")
        variables, self.variables = self.variables, ["$"]
        loops, self.loops = self.loops, 0
        self.defined[name], _ = self.block(("end",), word)
        self.expect_end("'end'")
        self.variables, self.loops = variables, loops
        return Invoke(name, pipeline, word.offset) if pipeline is not None else None

    def name(self, word: Token) -> str:
        token = self.next()
        if token.kind not in ("string", "raw"):
            self.fail(f"'{word.text}' needs a name in quotes", token)
        name = unquote(token.text)
        if name is None:
            self.fail(f"{token.text} holds an escape that Go does not know", token)
        return name

    # Pipelines

    def pipeline(self, what: str, *, ranging: bool = False) -> Pipeline:
        start = self.peek()
        variables, declares = self.declaration(ranging=ranging)
        commands: list[Operand] = []
        while True:
            token = self.peek()
            command = self.command()
            if command is None:
                self.fail(f"a value is missing in {what}", token)
            if commands and not isinstance(command, Function | Call | Field):
                self.fail("only a function can stand behind '|'", token)
            commands.append(command)
            if self.peek().text != "|" or self.peek().kind != "sign":
                break
            self.position += 1
        if declares:
            self.variables += variables
        return Pipeline(tuple(commands), variables, declares, start.offset)

    def declaration(self, *, ranging: bool) -> tuple[tuple[str, ...], bool]:
        """`$x :=`, `$x =`, or `$index, $value :=` in a range."""
        tokens = self.tokens[self.position : self.position + 4]
        names: tuple[str, ...]
        if tokens[0].kind != "variable":
            return (), False
        if len(tokens) > 1 and tokens[1].text in (":=", "="):
            names, sign = (tokens[0].text,), tokens[1].text
        elif len(tokens) > 3 and tokens[1].text == "," and tokens[2].kind == "variable":
            if not ranging:
                self.fail("only 'range' sets two variables", tokens[1])
            if tokens[3].text not in (":=", "="):
                self.fail("':=' is expected", tokens[3])
            names, sign = (tokens[0].text, tokens[2].text), tokens[3].text
        else:
            return (), False
        self.position += 2 * len(names)
        if sign == "=":
            for name in names:
                if name not in self.variables:
                    self.fail(f"the variable '{name}' is not declared", tokens[0])
        return names, sign == ":="

    def command(self) -> Operand | None:
        """An operand and its arguments, up to "|", ")" or the end."""
        operands: list[Operand] = []
        while True:
            token = self.peek()
            if token.kind == "end" or (token.kind == "sign" and token.text in "|)"):
                break
            if operands and not token.spaced:
                self.fail(f"'{token.text}' cannot follow here", token)
            operands.append(self.operand())
        if not operands:
            return None
        first = operands[0]
        if isinstance(first, Literal) and first.value is None:
            self.fail("'nil' is no command", self.tokens[self.position - len(operands)])
        if len(operands) == 1:
            return first
        if isinstance(first, Literal | Dot):
            self.fail("what is called is no function", self.tokens[self.position - 1])
        return Call(first, tuple(operands[1:]), first.offset)

    def operand(self) -> Operand:
        token = self.next()
        operand = self.term(token)
        while self.peek().kind == "field" and not self.peek().spaced:
            chained = self.next()
            if isinstance(operand, Literal):
                self.fail(f"'{chained.text}' cannot follow '{token.text}'", chained)
            operand = Field(operand, chained.text[1:], chained.offset)
        return operand

    def term(self, token: Token) -> Operand:
        kind, word, offset = token.kind, token.text, token.offset
        if kind == "field":
            return Field(Dot(offset), word[1:], offset)
        if kind == "dot":
            return Dot(offset)
        if kind == "variable":
            if word not in self.variables:
                self.fail(f"the variable '{word}' is not declared", token)
            return Variable(word, offset)
        if kind in ("string", "raw", "char"):
            value: str | None = unquote(word)
            if value is None:
                self.fail(f"{word} holds an escape that Go does not know", token)
            return Literal(ord(value) if kind == "char" else value, offset)
        if kind == "number":
            number = read_number(word)
            if number is None:
                self.fail(f"'{word}' is no number", token)
            return Literal(number, offset)
        if kind == "name":
            return self.named(token)
        if word == "(":
            if self.depth > _DEEPEST:
                self.fail("the parentheses are nested too deeply", token)
            self.depth += 1
            pipeline = self.pipeline("parentheses")
            self.depth -= 1
            closing = self.next()
            if closing.text != ")":
                self.fail(f"'{closing.text}' cannot stand here", closing)
            return pipeline
        return self.fail(f"'{word}' cannot stand here", token)

    def named(self, token: Token) -> Operand:
        if token.text in ("true", "false"):
            return Literal(token.text == "true", token.offset)
        if token.text == "nil":
            return Literal(None, token.offset)
        if token.text in _KEYWORDS:
            self.fail(f"'{token.text}' cannot stand here", token)
        if token.text not in NAMES:
            from pod.base.suggest import did_you_mean

            self.fail(
                f"there is no function '{token.text}'{did_you_mean(token.text, NAMES)}", token
            )
        return Function(token.text, token.offset)


def headings(tree: Tree) -> list[str | None]:
    """The top level of a template for the heading of its table: text as it is, and for each action the name of the
    first field in it, with a "." before it; nothing for an action without one."""
    out: list[str | None] = []
    for node in tree.nodes:
        if isinstance(node, Text):
            out.append(node.text)
        elif isinstance(node, Action | Branch):
            name = _first_field(node.pipeline)
            out.append(f".{name}" if name else None)
    return out


def _first_field(operand: Operand) -> str | None:
    """The last name of the first chain of fields: "Names" of `join .Names ","`, "Status" of `.State.Status`."""
    if isinstance(operand, Field):
        return operand.name
    parts: tuple[Operand, ...] = ()
    if isinstance(operand, Pipeline):
        parts = operand.commands
    elif isinstance(operand, Call):
        parts = (operand.what, *operand.arguments)
    for part in parts:
        name = _first_field(part)
        if name is not None:
            return name
    return None
