"""A finished run as a recording of its models: what `--replay` plays and `record` writes.

Of a node that began anew the last conversation counts: the earlier ones came to nothing. What was
said only because a run had stopped and went on is left out, so that the rest reads as if it had
never stopped: a run that is played back does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from taskgraph.agent.context import View, sent
from taskgraph.agent.conversation import has_text
from taskgraph.agent.feedback import RESUMED, is_farewell
from taskgraph.errors import SettingsError
from taskgraph.evidence import Ask
from taskgraph.llm.messages import AssistantMessage, Message, Usage, UserMessage
from taskgraph.llm.recording import (
    Asked,
    Circumstances,
    Hashes,
    RecordedAnswer,
    RecordedCall,
    Recording,
    calls_from_json,
    facts_from_json,
    read_recording,
)
from taskgraph.llm.wire import digest
from taskgraph.output import demand_ended
from taskgraph.parts import Identity
from taskgraph.recorded import message_of
from taskgraph.report import asking, read_meta


def recording_of(path: Path) -> Recording:
    """Reads a recording, or what a run has left of its models' answers.

    Args:
        path: a recording's text, or a `.db`.

    Raises:
        SettingsError: there is no such file, or another version of Taskgraph wrote it.
        WorkspaceError: it is a database that no run wrote, or one whose run has not ended.
    """
    demand_ended(path)
    return _recording_of_run(path) if is_database(path) else read_recording(path)


def is_database(path: Path) -> bool:
    """Says whether DuckDB wrote a file, whatever its name."""
    # DuckDB's files have this in their first block.
    try:
        with path.open("rb") as file:
            return file.read(12)[8:] == b"DUCK"
    except OSError:
        return False  # whoever reads it as text will say why it cannot be read


def _recording_of_run(path: Path) -> Recording:
    with asking(path) as ask:
        meta = read_meta(ask, path)
        if "duckdb_threads" not in meta:
            raise SettingsError(f"{str(path)!r} does not hold what its questions followed from")
        conversations = _conversations(ask)
        try:
            calls = tuple(_calls(ask, conversations))
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"the answers in {str(path)!r} cannot be played: {error}"
            ) from error
        return Recording(
            name=path.name,
            circumstances=_circumstances(meta),
            calls=calls,
            texts={
                digest(message): message.content or ""
                for conversation in conversations.values()
                for message in conversation.messages
            },
            ends=dict(ask(_ENDS)),
        )


def _circumstances(meta: Mapping[str, str]) -> Circumstances:
    settings = Identity.from_json(meta["run"]).settings
    return Circumstances(
        threads=int(meta["duckdb_threads"]),
        facts=facts_from_json(json.loads(meta["llm_models"])),
        query_timeout_s=settings.query_timeout_s,
        max_result_characters=settings.max_result_characters,
    )


_MESSAGES = """
    SELECT node, role, content, tool_calls, tool_call_id, said_by, reasoning, reasoning_details
    FROM _messages
    WHERE (node, conversation) IN (SELECT (node, max(conversation)) FROM _messages GROUP BY node)
    ORDER BY node, position
"""
_CALLS = """
    SELECT node, step, sent, request_sha256, finish_reason, prompt_tokens, completion_tokens,
           cached_tokens, reasoning_tokens, cost_usd, model
    FROM _llm_calls
    WHERE (node, conversation) IN (SELECT (node, max(conversation)) FROM _messages GROUP BY node)
    ORDER BY rowid
"""
_ENDS = """
    SELECT node, coalesce(error, 'its SQL was taken over from an earlier run, and no model was '
           'asked: replay it as it was made, with `taskgraph rerun`')
    FROM _node_meta WHERE kind = 'prompt' AND (error IS NOT NULL OR status = 'reused')
"""


@dataclass(frozen=True, slots=True)
class _Conversation:
    """A node's last one, as if it had never stopped."""

    messages: tuple[Message, ...]
    steps: Mapping[int, int]
    """Recorded step to the step that it is without what was left out."""
    left_out: tuple[Hashes, ...]
    """What was said around each stop, as it was sent."""

    @property
    def answers(self) -> list[AssistantMessage]:
        return [one for one in self.messages if isinstance(one, AssistantMessage)]

    def straightened(self, messages: Hashes) -> Hashes:
        """Returns what was sent without what was left out."""
        for episode in self.left_out:
            messages = _without(messages, episode)
        return messages


def _conversations(ask: Ask) -> Mapping[str, _Conversation]:
    return {
        node: _conversation(node, [message_of(*row[1:]) for row in rows])
        for node, rows in groupby(ask(_MESSAGES), key=itemgetter(0))
    }


def _conversation(node: str, messages: Sequence[Message]) -> _Conversation:
    episodes = list(_episodes(messages))
    gone = {position for episode in episodes for position in episode}
    answers = [at for at, one in enumerate(messages) if isinstance(one, AssistantMessage)]
    kept = [step for step, position in enumerate(answers, start=1) if position not in gone]
    return _Conversation(
        messages=tuple(one for at, one in enumerate(messages) if at not in gone),
        steps={step: number for number, step in enumerate(kept, start=1)},
        left_out=tuple(
            tuple(map(digest, sent([messages[at] for at in episode], View(), node)))
            for episode in episodes
        ),
    )


def _episodes(messages: Sequence[Message]) -> Iterator[range]:
    """Finds the places where a run stopped and went on: from the farewell to the welcome."""
    after_last = 0
    for end, message in enumerate(messages):
        if message == UserMessage(RESUMED):
            farewells = (
                at
                for at in range(after_last, end)
                if isinstance(one := messages[at], UserMessage) and is_farewell(one.content)
            )
            start = next(farewells, None)
            yield range(_before_nothing(messages, end) if start is None else start, end + 1)
            after_last = end + 1


def _before_nothing(messages: Sequence[Message], end: int) -> int:
    """Returns where the empty answers begin that a run was killed at, before it could react."""
    while isinstance(one := messages[end - 1], AssistantMessage) and not (
        has_text(one) or one.tool_calls
    ):
        end -= 1
    return end


def _without(messages: Hashes, episode: Hashes) -> Hashes:
    for at in range(len(messages) - len(episode) + 1):
        if messages[at : at + len(episode)] == episode:
            return messages[:at] + messages[at + len(episode) :]
    return messages


def _calls(ask: Ask, conversations: Mapping[str, _Conversation]) -> Iterator[RecordedCall]:
    asked = Asked()
    for node, step, sent_text, sha256, finish_reason, *usage, model in ask(_CALLS):
        conversation = conversations[node]
        number = conversation.steps.get(step)
        message = conversation.answers[number - 1] if number else AssistantMessage(None)
        answer = RecordedAnswer(sha256, message, finish_reason, Usage(*usage), model)
        # Read even where it is left out: the next one says only what is new since this one.
        calls = calls_from_json(node, number or 0, sent_text, asked, answer)
        yield from _straightened(calls, conversation) if number else ()


def _straightened(
    calls: Iterable[RecordedCall], conversation: _Conversation
) -> Iterator[RecordedCall]:
    for call in calls:
        messages = conversation.straightened(call.messages)
        yield RecordedCall(call.node, call.step, call.tools, messages, call.answer)
