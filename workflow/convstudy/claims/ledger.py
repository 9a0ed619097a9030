"""The claims as data: config/claims.yaml, checked, with the article's figures put in."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from convstudy.article import facts
from convstudy.config import mistakes, yaml_file
from convstudy.core.errors import UserError
from convstudy.core.section import Mistake, Name, Number, Section, Text

TESTS = ("equality", "tolerance", "ordering", "interval")
# The source of what the article does not state.
OWN = "this project"
# A figure of the article in a statement, and its format.
FIGURE = re.compile(r"\{([\w.]+)(?::([^{}]+))?\}")

Json = dict[str, Any]
# What a claim rests on; training is decided by a run of the article's size alone, run is about the
# run itself, whatever its size.
Basis = Literal["arithmetic", "training", "run", "timing"]
# The table that a claim speaks of, below results/.
File = Literal[
    "verification/examples.csv",
    "verification/identities.csv",
    "verification/grid.csv",
    "verification/counts.csv",
    "counts/models.csv",
    "training/summary.csv",
    "tables/single_kind.csv",
    "tables/studies.csv",
    "tables/trials.csv",
    "tables/objectives.csv",
    "tables/savings.csv",
    # Of other analyses than the article's own study
    "module_table/summary.csv",
    "module_table/table.csv",
    "replay/summary.csv",
    "replay/pruning.csv",
    "replay/draws.csv",
    "timing/crossover.csv",
    "timing/modules.csv",
    "epoch_selection/summary.csv",
]
# Of the effect; points are hundredths, of accuracies and other fractions.
Unit = Literal[
    "points", "times", "error", "objective", "parameters", "filters", "channels", "layers",
    "modules", "rank", "trials", "epochs",
]  # fmt: skip


class Numbers(Section):
    """Numbers from the rows of the claim's file."""

    select: Text | None = None
    """Which rows, as pandas' DataFrame.query understands it; all without it."""
    column: str
    """Which column."""
    reduce: Literal["mean", "sum", "min", "max", "count"] | None = None
    """One number of all rows; each row counts without it."""
    interval: (
        Literal["accuracy", "prediction", "student"]
        | Annotated[list[str], Field(min_length=2, max_length=2)]
        | None
    ) = None
    """Where its 95 % interval is from; accuracy (of a mean test accuracy, over new trainings and
    images), prediction (where one more training would lie), student (of a mean over replicates,
    Student's t), or two columns of the row. Exact without it.
    """
    models: str | None = None
    """The column that names each row's model, from all of which a prediction takes their spread."""
    label: str | None = None
    """What the evidence calls it."""
    named_by: str | None = None
    """The column whose value the evidence calls it by."""

    @model_validator(mode="after")
    def _accuracy_is_a_mean(self) -> Self:
        columns = ("test_accuracy_best", "test_accuracy_last")
        if self.interval == "accuracy" and (self.reduce, self.column in columns) != ("mean", True):
            raise ValueError(
                f"its interval is accuracy; allowed are reduce: mean and one of the columns"
                f" {', '.join(columns)}; write these, or another interval"
            )
        return self


class Quantity(Numbers):
    """Numbers, or their ratio to others."""

    over: Numbers | None = None
    """What it is divided by."""


class Stated(Section):
    """A figure of the article."""

    article: str


class Column(Section):
    """A column of the same rows."""

    column: str


Expected = Number | Stated | Column


class Equality(Section):
    """Each value is the expected one."""

    value: Quantity
    expected: Expected


class Tolerance(Equality):
    """Each value is at most the tolerance away from the expected one."""

    tolerance: Expected


class Ordering(Section):
    """Each value is larger than the next one."""

    values: Annotated[list[Quantity], Field(min_length=2)]


class Interval(Section):
    """Each value is above one number, or below one, or both."""

    value: Quantity
    above: Number | None = None
    below: Number | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("it has no above or below; at least one is needed; add it")
        return self


class Topic(Section):
    """What the report shows under one heading; its basis, file and unit are those of its claims."""

    basis: Basis | None = None
    file: File | None = None
    unit: Unit | None = None
    claims: Annotated[list[Json], Field(min_length=1)]


class Claim(Section):
    """A claim with what its topic gives."""

    model_config = ConfigDict(frozen=True)

    id: Name
    topic: str
    statement: Text
    """What is stated; {single_kind.conv.parameters} stands for a figure of the article, with :.2%
    and the like for its format.
    """
    source: Text
    """Where the article states it, or "this project"."""
    basis: Basis
    file: File
    unit: Unit
    refuted_by: Text
    """What would refute it, in words."""
    equality: Equality | None = None
    tolerance: Tolerance | None = None
    ordering: Ordering | None = None
    interval: Interval | None = None
    readings: Annotated[list[str], Field(min_length=2)] = []
    """Columns of which each may be what the article shows, the first one as the test names it; a
    claim is decided where all agree.
    """
    draws: Literal["decides", "once"] | None = None
    """What a study returns is one draw. It decides by how often replayed studies return it, or
    never (once).
    """

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        given = [kind for kind in TESTS if getattr(self, kind)]
        if len(given) != 1:
            has = " and ".join(given) or f"none of {', '.join(TESTS)}"
            fix = "remove the others" if given else "add it"
            raise ValueError(f"it has {has}; allowed is one of them; {fix}")
        return self

    @property
    def test(self) -> Json:
        """The type of its test, and what that asks for."""
        [kind] = [kind for kind in TESTS if getattr(self, kind)]
        return {"type": kind, **getattr(self, kind).model_dump(exclude_unset=True)}


def load(path: Path, drawn: Collection[str] | None = None) -> list[Claim]:
    """Read claims, with the article's figures put in.

    Args:
        drawn: Ids of what replayed studies are asked about; only their claims may have ``draws``.

    Raises:
        UserError: With one line for each mistake: file, line, claim, key, what is allowed, fix.
    """
    file = yaml_file.read(path)
    topics = file.content if isinstance(file.content, dict) else {}
    lines = mistakes.write(list(_topic_mistakes(topics)), topics, [file])
    entries = [] if lines else list(_placed(topics))
    ids: list[Any] = []
    for where, entry in entries:
        name = f"claim {entry.get('id', 'without an id')}"
        for keys, what in _mistakes(entry, ids, drawn):
            place = mistakes.place((*where, *keys), topics, [file])
            lines.append(": ".join([place, name, *filter(None, [mistakes.dotted(keys)]), what]))
        ids.append(entry.get("id"))
    if lines:
        head = f"{file.name} has a mistake" if len(lines) == 1 else f"{file.name} has mistakes"
        raise UserError("\n  ".join([f"{head}:", *lines]))
    claims = [Claim.model_validate(entry) for _, entry in entries]
    return [one.model_copy(update={"statement": _filled(one.statement)}) for one in claims]


def _topic_mistakes(topics: Json) -> Iterator[Mistake]:
    """Find what is wrong before the claims themselves can be read."""
    if not topics:
        yield Mistake((), "it has no topics; needed is at least one; write TOPIC: {claims: [...]}")
    for topic, part in topics.items():
        found = [Mistake((topic, *keys), what) for keys, what in mistakes.find(Topic, part)]
        yield from found
        for place, entry in enumerate([] if found else part["claims"]):
            rows = entry.get("each", [{}])
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                what = f"{rows!r}, but allowed is a list of sections, such as - {{kind: conv}}"
                yield Mistake((topic, "claims", place, "each"), what)
                continue
            for row in rows:
                try:
                    _put_in(entry, row) if "each" in entry else None
                except KeyError as error:
                    what = f"it uses ${error.args[0]}, which each does not give; add it there"
                    yield Mistake((topic, "claims", place), what)
                except ValueError:
                    what = "it has a $ that names nothing; write $$"
                    yield Mistake((topic, "claims", place), what)


def expanded(topics: Json) -> list[Json]:
    """Give every claim as a mapping of its own, with what its topic and ``each`` say."""
    return [entry for _, entry in _placed(topics)]


def _placed(topics: Json) -> Iterator[tuple[tuple[Any, ...], Json]]:
    """Give every claim with the keys that lead to it."""
    for topic, part in topics.items():
        shared = {"topic": topic} | {key: part[key] for key in part if key != "claims"}
        for place, entry in enumerate(part["claims"]):
            own = {key: value for key, value in entry.items() if key != "each"}
            for row in entry.get("each", [None]):
                filled = own if row is None else _put_in(own, row)
                yield (topic, "claims", place), shared | filled


def _put_in(part: Any, row: Json) -> Any:
    """Replace ``$key`` in all texts."""
    if isinstance(part, dict):
        return {key: _put_in(value, row) for key, value in part.items()}
    if isinstance(part, list):
        return [_put_in(value, row) for value in part]
    return Template(part).substitute(row) if isinstance(part, str) else part


def _mistakes(
    entry: Json, before: Sequence[Any], drawn: Collection[str] | None
) -> Iterator[Mistake]:
    """Find what is wrong with a claim, its figures of the article included."""
    found = list(mistakes.find(Claim, entry))
    yield from found
    if found:
        return
    if entry["id"] in before:
        yield Mistake(("id",), "it stands twice; allowed is each id once; rename one")
    if "draws" in entry and drawn is not None and entry["id"] not in drawn:
        what = f"allowed are the claims {', '.join(drawn)}; remove it"
        yield Mistake(("draws",), what)
    for path, form in figures(entry):
        try:
            format(facts.figure(path), form or "")
        except UserError as error:
            yield Mistake((), f"{error}; write one of these")
        except (ValueError, TypeError) as error:
            what = f"it has the format {form!r} ({error}); write for example :.2%"
            yield Mistake(("statement",), what)


def figures(entry: Json) -> list[tuple[str, str | None]]:
    """List the article's figures that a claim speaks of, each with its format in the statement."""
    stated = FIGURE.findall(entry["statement"])
    return [
        *((path, form or None) for path, form in stated),
        *((one, None) for one in _named(entry)),
    ]


def _named(part: Any) -> Iterator[str]:
    """Give the article's figures that a test names, at any depth."""
    if isinstance(part, dict):
        if isinstance(part.get("article"), str):
            yield part["article"]
        for value in part.values():
            yield from _named(value)
    elif isinstance(part, list):
        for value in part:
            yield from _named(value)


def _filled(statement: str) -> str:
    """Put the article's figures in a statement."""

    def write(found: re.Match[str]) -> str:
        value = facts.figure(found[1])
        form = found[2] or ("," if isinstance(value, int) else "")
        return format(value, form).replace("%", " %")

    return FIGURE.sub(write, statement)
