"""How a node, an export and a warning stand in one line, and how the verdicts are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from taskgraph.cli.text import indented, painted, printable, short, styled
from taskgraph.cli.width import wrapped
from taskgraph.events import CheckResult, Outcome
from taskgraph.llm.messages import Usage
from taskgraph.wording import counted, dollars, duration, tokens

_WORDS = {
    "passed": "PASS",
    "failed": "FAIL",
    "skipped": "SKIP",
    "reused": "REUSE",
    "stopped": "STOP",
    "cancelled": "CANCEL",
}
_ALWAYS_COUNTED = ("PASS", "WARN", "FAIL", "SKIP", "REUSE")
_ONLY_IF_ANY = ("STOP", "CANCEL")
_MOST_WARNINGS = 10


def verdict(outcome: Outcome) -> str:
    """Returns the outcome in one upper-case word."""
    if outcome.status == "passed" and outcome.warnings:
        return "WARN"
    return _WORDS[outcome.status]


def went_wrong(outcome: Outcome) -> bool:
    """Says whether there is something to tell that a person may have to mend."""
    return outcome.status in ("failed", "stopped")


def outcome_line(outcome: Outcome, width: int) -> str:
    """Tells how a node ended and what it took; names are padded to `width` characters."""
    head = f"{styled(verdict(outcome))} {outcome.kind:<6} {outcome.node:<{width}}"
    return "  ".join([head, *_measures(outcome)]).rstrip()


def warning_lines(outcome: Outcome) -> Iterator[str]:
    """Tells what a node's checks warned of."""
    for finding in outcome.warnings[:_MOST_WARNINGS]:
        yield finding_line(finding)
    if len(outcome.warnings) > _MOST_WARNINGS:
        yield f"    ... {len(outcome.warnings) - _MOST_WARNINGS} more in the table _checks"


def warned_line(node: str | None, message: str) -> str:
    """Tells of a warning that no check gave."""
    return indented(warned_text(node, message)).replace("Warning:", styled("WARN", "Warning:"), 1)


def warned_text(node: str | None, message: str) -> str:
    """Returns the words of a warning that no check gave."""
    about = f" node {node!r}:" if node else ""
    return f"Warning:{about} {printable(message)}"


def export_lines(name: str, error: str | None, elapsed_ms: float | None = None) -> Iterator[str]:
    """Tells whether an export was written, and where in the spec's code it was not."""
    took = "" if elapsed_ms is None else f"  {duration(elapsed_ms)}"
    if error is None:
        yield f"{styled('PASS')} export {name}{took}"
        return
    yield f"{styled('FAIL')} export {name}  {short(error)}{took}"
    yield from (f"    {line}" for line in printable(error).splitlines()[1:])


def finding_lines(finding: CheckResult, width: int) -> Iterator[str]:
    """Tells what a check found, in lines that fit."""
    text = f"    {finding.status} {finding.check}: {printable(finding.message)}"
    lines = wrapped(text, width, hanging=" " * 6)
    return painted(lines, finding.status.upper(), finding.status)


def finding_line(finding: CheckResult) -> str:
    """Tells what a check found."""
    status = styled(finding.status.upper(), finding.status)
    return f"    {status} {indented(f'{finding.check}: {finding.message}')}"


def counts(outcomes: Sequence[Outcome]) -> Mapping[str, int]:
    """Counts the verdicts: all that can be, and 0 for those that nothing got."""
    found = Counter(map(verdict, outcomes))
    return {word: found[word] for word in (*_ALWAYS_COUNTED, *_ONLY_IF_ANY)}


def _measures(outcome: Outcome) -> Iterator[str]:
    if outcome.status == "skipped" and outcome.error:
        yield outcome.error
    if outcome.status == "reused" and outcome.why:
        yield f"({short(outcome.why)})"
    if outcome.tables:
        yield _rows(outcome.tables)
    if outcome.iterations:
        yield f"{outcome.iterations} {'turn' if outcome.iterations == 1 else 'turns'}"
    yield from spent(outcome.usage)
    if outcome.started_at:
        yield duration(outcome.elapsed_ms)


def _rows(tables: tuple[tuple[str, int], ...]) -> str:
    total = sum(count for _, count in tables)
    rows = counted(total, "row")
    return rows if len(tables) == 1 else f"{rows} in {len(tables)} tables"


def spent(usage: Usage) -> Iterator[str]:
    """Tells tokens and US dollars, where there are any."""
    if usage.total_tokens:
        yield f"{tokens(usage.total_tokens)} tok"
    if usage.cost_usd is not None:
        yield dollars(usage.cost_usd)


def counts_text(outcomes: Sequence[Outcome]) -> str:
    """Writes the counts as the last line of a run has them."""
    found = counts(outcomes)
    shown = [word for word in found if found[word] or word in _ALWAYS_COUNTED]
    return " ".join([*(f"{word}={found[word]}" for word in shown), f"TOTAL={len(outcomes)}"])
