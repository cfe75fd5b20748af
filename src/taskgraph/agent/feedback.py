"""Everything the engine says to a model in the course of a conversation, beside results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from taskgraph.agent.rendering import cut
from taskgraph.events import CheckResult, CheckStatus

_ROWS_PER_CHECK = 3
_ROWS_PER_CHECK_AT_THE_END = 10
_FAILING_CHECKS = 10
_MESSAGE_CHARACTERS = 300
_ELIDED_CHARACTERS = 200
_SEVERITY: tuple[CheckStatus, ...] = ("fail", "warn", "pass")

_LAST_TURN = "This is the last turn, without tools: "
_ENDED = "The node has not passed, and the conversation ends here: "

RESUMED = (
    "The run was interrupted here and goes on now. Whatever you created still stands, and you can "
    "use the tool again."
)
NO_ANSWER = (
    "Your answer was empty. Go on with run_sql, or, if the work is complete, end with a closing "
    "message that states your assumptions."
)
CUT_OFF = (
    "Your answer was cut off because it was too long. Go on with run_sql, or end with a short "
    "closing message."
)
CALL_CUT_OFF = (
    "Your answer was cut off inside this call because it was too long: write less at once."
)
NOT_EXECUTED = "Not executed: the work was stopped before this call."
RECORDED = "[You ran exactly this before and nothing has changed since; the recorded answer:]"
BLOCKED = (
    "Not executed: you ran exactly this before, nothing has changed since, and the answer is the "
    "same. Do something else, or finish."
)
AFTER_A_FAILURE = (
    "a call before this one in your answer failed, and this one ran all the same: what it builds on "
    "may be missing or old"
)
_CLOSING_LENGTH = "Say in a few sentences what stands, what is missing, and what you assumed."


def unknown_tool(name: str, available: Iterable[str]) -> str:
    """Answers a call of a tool that does not exist."""
    return f"Unknown tool {name!r}. Available: {', '.join(available)}"


def with_notes(content: str, notes: Iterable[str]) -> str:
    """Returns a result with what the model should know beside it."""
    return "\n".join([content, *(f"[{note}]" for note in notes)])


def many_errors(rounds: int) -> str:
    """Advises a model that gets nowhere."""
    return (
        f"nothing has worked for {rounds} turns: step back, DESCRIBE what you read, try the "
        "smallest part on its own, and build up from there"
    )


def rounds_left_out(node: str) -> str:
    """Stands in for rounds that are not sent any more."""
    return (
        "[Earlier rounds are left out here because the conversation grew too long. Whatever you "
        "created still stands: SELECT view_name, sql FROM duckdb_views() "
        f"WHERE NOT internal AND view_name ILIKE '{node}%']"
    )


def final_turn(reason: str) -> str:
    """Asks for a last answer without tools."""
    return f"{_LAST_TURN}{reason}. {_CLOSING_LENGTH}"


def accepted(results: Sequence[CheckResult]) -> str:
    """Tells the model that its work was accepted."""
    warnings = _lines(_with_status(results, "warn"), _ROWS_PER_CHECK)
    return "\n".join(["Accepted: the node has passed.", *warnings])


def not_accepted(results: Sequence[CheckResult]) -> str:
    """Tells the model what still fails, and to go on."""
    return (
        f"Not accepted yet.\n{_failures(results)}\n"
        "Repair the cause in your views, not the appearance, and then close again."
    )


def ended(reason: str, results: Sequence[CheckResult] = ()) -> str:
    """Tells the model that its conversation ends without its work being accepted."""
    failures = f"\n{_failures(results)}" if results else ""
    return f"{_ENDED}{reason}.{failures}"


def is_farewell(content: str) -> bool:
    """Says whether a message of the engine told the model that it cannot go on."""
    return content.startswith((_LAST_TURN, _ENDED))


def checks_text(results: Sequence[CheckResult]) -> str:
    """Returns one line on all checks, and the first rows that fail; empty without results."""
    if not results:
        return ""
    by_check = _by_check(results)
    worst = [min((row.status for row in rows), key=_SEVERITY.index) for rows in by_check.values()]
    counts = [f"{worst.count(status)} {status}" for status in _SEVERITY[::-1] if status in worst]
    shown = _with_status(results, "fail") or _with_status(results, "warn")
    return "\n".join([f"checks: {', '.join(counts)}", *_lines(shown, _ROWS_PER_CHECK)])


def elided(content: str) -> str:
    """Returns what stands in for an old tool result."""
    beginning = " / ".join(content[:_ELIDED_CHARACTERS].splitlines())
    return f"[result left out to save room; it began: {beginning}… Run it again if you need it.]"


def shortened(content: str, max_characters: int) -> str:
    """Returns the beginning of a tool result that does not fit the model's window."""
    return f"{cut(content, max_characters)}\n[cut to fit your context window: ask for less]"


def _failures(results: Sequence[CheckResult]) -> str:
    return "\n".join(_lines(_with_status(results, "fail"), _ROWS_PER_CHECK_AT_THE_END))


def _with_status(results: Sequence[CheckResult], status: CheckStatus) -> list[CheckResult]:
    return [result for result in results if result.status == status]


def _by_check(results: Sequence[CheckResult]) -> dict[str, list[CheckResult]]:
    found: dict[str, list[CheckResult]] = {}
    for result in results:
        found.setdefault(result.check, []).append(result)
    return found


def _lines(results: Sequence[CheckResult], rows_per_check: int) -> list[str]:
    checks = list(_by_check(results).values())
    lines = [line for rows in checks[:_FAILING_CHECKS] for line in _lines_of(rows, rows_per_check)]
    more = len(checks) - _FAILING_CHECKS
    return [*lines, f"- and {more} more checks"] if more > 0 else lines


def _lines_of(rows: Sequence[CheckResult], count: int) -> list[str]:
    start = f"- {rows[0].status} {rows[0].check}:"
    lines = [f"{start} {cut(row.message, _MESSAGE_CHARACTERS)}" for row in rows[:count]]
    more = len(rows) - count
    return [*lines, f"{start} and {more} more rows"] if more > 0 else lines
