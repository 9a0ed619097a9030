"""The claims as data: config/claims.yaml, validated, with the article's figures filled in."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from convstudy.article import facts
from convstudy.config import mistakes, yaml_file
from convstudy.core.errors import UserError
from convstudy.core.section import Mistake, Name, Number, Section, Text

TESTS = ("equality", "tolerance", "ordering", "interval")
# The source of statements that are not the article's.
OWN = "this project"
# A reference to a figure of the article in a statement, with its format.
FIGURE = re.compile(r"\{([\w.]+)(?::([^{}]+))?\}")

Json = dict[str, Any]
# What a claim rests on. Only a run at the article's scale decides training; run is about this run,
# whatever its scale.
Basis = Literal["arithmetic", "training", "run", "timing"]
# The table that a claim is about, below results/.
File = Literal[
    "verification/examples.csv",
    "verification/identities.csv",
    "verification/grid.csv",
    "verification/counts.csv",
    "verification/statements.csv",
    "counts/models.csv",
    "counts/families.csv",
    "training/summary.csv",
    "tables/single_kind.csv",
    "tables/studies.csv",
    "tables/trials.csv",
    "tables/objectives.csv",
    "tables/article_studies.csv",
    "tables/savings.csv",
    "tables/relations.csv",
    "tables/contrasts.csv",
    # Tables of the optional analyses
    "module_table/summary.csv",
    "module_table/table.csv",
    "replay/summary.csv",
    "replay/contrasts.csv",
    "replay/draws.csv",
    "timing/crossover.csv",
    "timing/modules.csv",
    "epoch_selection/summary.csv",
    "depth/trainings.csv",
    "depth/contrasts.csv",
    "penalties/envelope.csv",
    "pareto/front.csv",
    "recipes/summary.csv",
]
# Tables made from an analysis's table alone: they exist with it and rest on what it rests on.
MADE_FROM = {
    "tables/contrasts.csv": "module_table/table.csv",
    "penalties/envelope.csv": "module_table/table.csv",
}
# The effect's unit; points are hundredths of an accuracy or another fraction.
Unit = Literal[
    "points", "times", "error", "objective", "parameters", "filters", "channels", "layers",
    "modules", "rank", "trials", "epochs", "arguments", "cells", "kernels", "correlation",
]  # fmt: skip


class Numbers(Section):
    """Numbers from the rows of the claim's file."""

    select: Text | None = None
    """Which rows, as a pandas DataFrame.query expression; all rows by default."""
    column: str
    """Which column."""
    reduce: Literal["mean", "sum", "min", "max", "count"] | None = None
    """How to reduce the rows to one number; by default each row is tested."""
    interval: (
        Literal["accuracy", "prediction", "student", "t"]
        | Annotated[list[str], Field(min_length=2, max_length=2)]
        | None
    ) = None
    """Its 95 % interval: accuracy (of a mean test accuracy, over new trainings and images),
    prediction (where one more training would lie), student (of a mean over replicates, Student's
    t), t (Student's t, from the row's columns error and dof), or two columns of the row, whose
    level is then fixed. By default the number is exact.
    """
    dof: str | None = None
    """The column with the degrees of freedom of an interval in two columns, if it is Student's t:
    then its level can be changed."""
    logarithmic: bool = False
    """Whether it is one of the logarithm."""
    beyond: str | None = None
    """The column with the chance that the number is above the one that the test has as `below`, if
    its interval comes from draws."""
    models: str | None = None
    """The column that names each row's model; a prediction pools the spread of all models."""
    label: str | None = None
    """Its name in the evidence."""
    named_by: str | None = None
    """The column whose value names it in the evidence."""

    @model_validator(mode="after")
    def _accuracy_is_a_mean(self) -> Self:
        columns = ("test_accuracy_best", "test_accuracy_last")
        if self.interval == "accuracy" and (self.reduce, self.column in columns) != ("mean", True):
            raise ValueError(
                "interval: accuracy needs reduce: mean and one of the columns"
                f" {', '.join(columns)}; add these, or choose another interval"
            )
        return self


class Quantity(Numbers):
    """Numbers, or their ratio to other numbers."""

    over: Numbers | None = None
    """What they are divided by."""


class Stated(Section):
    """A figure of the article."""

    article: str


class Column(Section):
    """A column of the same rows."""

    column: str


Expected = Number | Stated | Column


class Equality(Section):
    """Each value equals the expected one."""

    value: Quantity
    expected: Expected


class Tolerance(Equality):
    """Each value is within the tolerance of the expected one."""

    tolerance: Expected


class Ordering(Section):
    """Each value is greater than the next."""

    values: Annotated[list[Quantity], Field(min_length=2)]


class Interval(Section):
    """Each value, or any, is above a number, below a number, or between two."""

    value: Quantity
    above: Number | Stated | None = None
    below: Number | Stated | None = None
    any: bool = False
    """Whether it is enough that one of the values is."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("it has no above or below; add at least one of them")
        return self


class Topic(Section):
    """Claims under one heading of the report; they inherit its basis, file and unit."""

    basis: Basis | None = None
    file: File | None = None
    unit: Unit | None = None
    claims: Annotated[list[Json], Field(min_length=1)]


class Claim(Section):
    """A claim, with the keys it inherits from its topic."""

    model_config = ConfigDict(frozen=True)

    id: Name
    topic: str
    statement: Text
    """What is stated; {single_kind.conv.parameters} inserts a figure of the article, optionally
    with a format such as :.2%.
    """
    source: Text
    """Where the article states it, or "this project"."""
    basis: Basis
    file: File
    unit: Unit
    refuted_by: Text
    """What would refute it."""
    equality: Equality | None = None
    tolerance: Tolerance | None = None
    ordering: Ordering | None = None
    interval: Interval | None = None
    readings: Annotated[list[str], Field(min_length=2)] = []
    """Columns that may be what the article shows, starting with the one in the test; a claim is
    decided only if all of them agree.
    """
    draws: Literal["decides", "once"] | None = None
    """Set if the claim is about what one study returns, which is a random draw. It is decided by
    how often replayed studies return the same (decides), or never (once).
    """
    share: Number = 0.5
    """Of what share of studies it states that they return the same, at least."""

    _yours: bool = False

    @property
    def yours(self) -> bool:
        """Whether it is from a user's own file."""
        return self._yours

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        given = [kind for kind in TESTS if getattr(self, kind)]
        if len(given) != 1:
            has = f"has {' and '.join(given)}" if given else f"has none of {', '.join(TESTS)}"
            fix = "remove the others" if given else "add one"
            raise ValueError(f"it {has}; exactly one is allowed; {fix}")
        return self

    @property
    def by_interval(self) -> bool:
        """Whether an interval can decide it."""
        if self.draws:
            return self.draws == "decides"
        return any(quantity.interval for quantity in self._numbers())

    def _numbers(self) -> Iterator[Numbers]:
        [test] = [getattr(self, kind) for kind in TESTS if getattr(self, kind)]
        for quantity in getattr(test, "values", None) or [test.value]:
            yield from filter(None, [quantity, quantity.over])

    @property
    def test(self) -> Json:
        """The type of its test and the arguments of that test."""
        [kind] = [kind for kind in TESTS if getattr(self, kind)]
        return {"type": kind, **getattr(self, kind).model_dump(exclude_unset=True)}


def load(
    path: Path, drawn: Collection[str] | None = None, others: Collection[Claim] | None = None
) -> list[Claim]:
    """Read claims and fill in the article's figures.

    Args:
        others: For a user's own file: the claims that it is added to. Its claims are this
            project's, and about the run.
        drawn: Ids of the claims that replayed studies can decide; only these may have ``draws``.

    Raises:
        UserError: For mistakes, one line each: file, line, claim, key, what is allowed, fix.
    """
    file = yaml_file.read(path)
    topics = file.content if isinstance(file.content, dict) else {}
    lines = mistakes.write(list(_topic_mistakes(topics)), topics, [file])
    entries = [] if lines else list(_placed(topics))
    if others is not None:
        entries = [(where, {"source": OWN, "basis": "run"} | entry) for where, entry in entries]
    ids: list[Any] = [claim.id for claim in others or ()]
    for where, entry in entries:
        name = f"claim {entry.get('id', 'without an id')}"
        for keys, what in _mistakes(entry, ids, drawn, others is not None):
            place = mistakes.place((*where, *keys), topics, [file])
            lines.append(": ".join([place, name, *filter(None, [mistakes.dotted(keys)]), what]))
        ids.append(entry.get("id"))
    if lines:
        head = f"{file.name} has a mistake" if len(lines) == 1 else f"{file.name} has mistakes"
        raise UserError("\n  ".join([f"{head}:", *lines]))
    claims = [Claim.model_validate(entry) for _, entry in entries]
    filled = [claim.model_copy(update={"statement": _filled(claim.statement)}) for claim in claims]
    for claim in filled:
        claim._yours = others is not None
    return filled


def load_all(
    article: Iterable[str | Path], own: Iterable[str | Path], drawn: Collection[str] | None = None
) -> list[Claim]:
    """Read the article's claims and a user's own, from at most one file each; see `load`."""
    claims = [claim for path in article for claim in load(Path(path), drawn)]
    return claims + [one for path in own for one in load(Path(path), drawn, claims)]


def _topic_mistakes(topics: Json) -> Iterator[Mistake]:
    """Find mistakes that prevent the claims themselves from being read."""
    if not topics:
        yield Mistake((), "it has no topics; add at least one: TOPIC: {claims: [...]}")
    for topic, part in topics.items():
        found = [Mistake((topic, *keys), what) for keys, what in mistakes.find(Topic, part)]
        yield from found
        for place, entry in enumerate([] if found else part["claims"]):
            rows = entry.get("each", [{}])
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                what = f"{rows!r}, but it must be a list of sections, such as - {{kind: conv}}"
                yield Mistake((topic, "claims", place, "each"), what)
                continue
            for row in rows:
                try:
                    _put_in(entry, row) if "each" in entry else None
                except KeyError as error:
                    what = f"it uses ${error.args[0]}, which is missing from its each; add it there"
                    yield Mistake((topic, "claims", place), what)
                except ValueError:
                    what = "it has a $ without a name; write $$ for a dollar sign"
                    yield Mistake((topic, "claims", place), what)


def expanded(topics: Json) -> list[Json]:
    """Return every claim as its own mapping, with the keys of its topic and ``each`` filled in."""
    return [entry for _, entry in _placed(topics)]


def _placed(topics: Json) -> Iterator[tuple[tuple[Any, ...], Json]]:
    """Yield every claim with the keys that lead to it."""
    for topic, part in topics.items():
        shared = {"topic": topic} | {key: part[key] for key in part if key != "claims"}
        for place, entry in enumerate(part["claims"]):
            own = {key: value for key, value in entry.items() if key != "each"}
            for row in entry.get("each", [None]):
                filled = own if row is None else _put_in(own, row)
                yield (topic, "claims", place), shared | filled


def _put_in(part: Any, row: Json) -> Any:
    """Replace ``$key`` in all strings."""
    if isinstance(part, dict):
        return {key: _put_in(value, row) for key, value in part.items()}
    if isinstance(part, list):
        return [_put_in(value, row) for value in part]
    return Template(part).substitute(row) if isinstance(part, str) else part


def _mistakes(
    entry: Json, before: Sequence[Any], drawn: Collection[str] | None, own: bool
) -> Iterator[Mistake]:
    """Find mistakes in a claim and in its references to the article's figures."""
    found = list(mistakes.find(Claim, entry))
    yield from found
    if found:
        return
    if own and entry["source"] != OWN:
        yield Mistake(("source",), f"{entry['source']}, but your own claims have none; remove it")
    if entry["id"] in before:
        yield Mistake(("id",), "this id is used twice; rename one of the claims")
    if "draws" in entry and drawn is not None and entry["id"] not in drawn:
        what = f"only {', '.join(drawn)} may have it; remove it"
        yield Mistake(("draws",), what)
    for path, form in figures(entry):
        try:
            format(facts.figure(path), form or "")
        except UserError as error:
            yield Mistake((), f"{error}; use one of these")
        except (ValueError, TypeError) as error:
            what = f"invalid format {form!r} ({error}); write for example :.2%"
            yield Mistake(("statement",), what)


def figures(entry: Json) -> list[tuple[str, str | None]]:
    """List the article's figures that a claim refers to, with their formats in the statement."""
    stated = FIGURE.findall(entry["statement"])
    return [
        *((path, form or None) for path, form in stated),
        *((path, None) for path in _named(entry)),
    ]


def _named(part: Any) -> Iterator[str]:
    """Yield the article's figures that a test names, at any depth."""
    if isinstance(part, dict):
        if isinstance(part.get("article"), str):
            yield part["article"]
        for value in part.values():
            yield from _named(value)
    elif isinstance(part, list):
        for value in part:
            yield from _named(value)


def _filled(statement: str) -> str:
    """Fill the article's figures into a statement."""

    def write(match: re.Match[str]) -> str:
        value = facts.figure(match[1])
        form = match[2] or ("," if isinstance(value, int) else "")
        return format(value, form).replace("%", " %")

    return FIGURE.sub(write, statement)
