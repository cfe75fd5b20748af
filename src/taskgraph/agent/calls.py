"""Answers tool calls one by one, and notices when a model gets nowhere with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from taskgraph.agent.arguments import Malformed, SqlArgument, sql_argument
from taskgraph.agent.feedback import (
    AFTER_A_FAILURE,
    CALL_CUT_OFF,
    many_errors,
    unknown_tool,
    with_notes,
)
from taskgraph.agent.repetition import STOPPED_AT, Repetitions
from taskgraph.agent.task import RunSql, ToolOutcome
from taskgraph.llm.messages import Tool, ToolCall

ERROR_ROUNDS_NOTED = 5
ERROR_ROUNDS_STOPPED = 8


@dataclass
class Desk:
    """Where an agent's calls are answered.

    Attributes:
        tools: what the model may call; `run_sql` is the only one there is.
        run_sql: runs the text of one call.
        hopeless: why the model should be stopped; None while it gets somewhere.
    """

    tools: tuple[Tool, ...]
    run_sql: RunSql
    hopeless: str | None = None
    _repetitions: Repetitions = field(default_factory=Repetitions)
    _round: int = 0
    _all_failed: bool = True
    _any_failed: bool = False
    _failed_rounds: int = 0

    def open_round(self, *, after_failure: bool = False) -> None:
        """Begins the calls of one answer, or goes on with them, where one has failed already."""
        self._round += 1
        self._all_failed, self._any_failed = True, after_failure

    async def answer(self, call: ToolCall, *, cut_off: bool) -> str:
        """Returns the result of a call; a model's mistake is a result as well.

        Args:
            call: what the model asks for.
            cut_off: the model's answer ended because it was too long.

        Raises:
            TaskgraphError: the tool itself cannot go on.
        """
        argument = sql_argument(call.arguments)
        question = call.arguments if isinstance(argument, Malformed) else argument.sql
        repeated = self._repetitions.answer(call.name, question, self._round)
        if repeated:
            self._note_repetition(repeated.times)
            self._note_failure(failed=repeated.failed)
            return repeated.content
        notes = [AFTER_A_FAILURE] if self._any_failed else []
        outcome = await self._outcome(call.name, argument, cut_off)
        self._repetitions.note(call.name, question, self._round, outcome)
        self._note_failure(failed=outcome.failed)
        return with_notes(outcome.content, notes)

    def close_round(self) -> list[str]:
        """Ends the calls of one answer; returns what the model should know beside the results."""
        self._failed_rounds = self._failed_rounds + 1 if self._all_failed else 0
        if self._failed_rounds >= ERROR_ROUNDS_STOPPED:
            self.hopeless = f"nothing worked for {self._failed_rounds} turns in a row"
        if self._failed_rounds == ERROR_ROUNDS_NOTED:
            return [many_errors(self._failed_rounds)]
        return []

    def _note_failure(self, *, failed: bool) -> None:
        self._all_failed &= failed
        self._any_failed |= failed

    def _note_repetition(self, times: int) -> None:
        if times >= STOPPED_AT:
            self.hopeless = f"it made the same call {times} times"

    async def _outcome(
        self, name: str, argument: SqlArgument | Malformed, cut_off: bool
    ) -> ToolOutcome:
        available = [tool.name for tool in self.tools]
        if name not in available:
            return self._mistake(unknown_tool(name, available))
        if isinstance(argument, Malformed):
            return self._mistake(with_notes(argument.message, [CALL_CUT_OFF] if cut_off else []))
        outcome = await self.run_sql(argument.sql)
        return replace(outcome, content=with_notes(outcome.content, argument.notes))

    def _mistake(self, message: str) -> ToolOutcome:
        return ToolOutcome(message, failed=True, state=self._repetitions.state)
