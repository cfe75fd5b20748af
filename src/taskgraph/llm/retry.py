"""What to do when a model call fails: the one table of it, without a clock and without a socket.

    signal                                            what happens
    ------------------------------------------------  --------------------------------------------
    connection refused, reset, silent, cut            try again
    own deadline, or a body over the cap              try again twice; perhaps paid for
    2xx without a usable message                      try again
    2xx that says nothing and cost nothing            try again twice
    2xx stopped by the content filter                 try again once
    2xx or a choice with an error in it               by that error's code
    3xx; 404 and 405 that are no API's; bad URL       WrongEndpoint: stop the run
    401; first 403 without a reason                   AuthenticationFailed: stop the run
    402, or a quota that is used up                   PaymentRequired: stop the run
    404 and other refusals of the model as such       ModelUnavailable: stop the run
    429                                               pause all calls to that host and model
    429 of a daily limit; a wait over two minutes     ServiceExhausted: stop the run
    400, 413, 422, 500 that tell of the context       ContextOverflow: the agent compacts
    403 by moderation; other 400 and 4xx              ModelRejected: the same bytes never again
    400 "Provider returned error"                     try once more without that provider
    400, 422 that do not want `reasoning_effort`      try once more without it, and never send it
    408 409 425 5xx                                   try again, honouring Retry-After

Where the server itself says `retryable`, it is believed. Sources: OpenRouter's pages on errors and
limits (August 2026), and reports in the trackers of its clients, of Ollama and of LiteLLM.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from taskgraph.errors import (
    AuthenticationFailed,
    ContextOverflow,
    ModelGarbled,
    ModelRejected,
    ModelUnavailable,
    ModelUnreachable,
    PaymentRequired,
    ServiceExhausted,
    TaskgraphError,
    WrongEndpoint,
)
from taskgraph.llm.asked_wait import asked_wait, resets_at
from taskgraph.llm.messages import Usage
from taskgraph.llm.reply import Completion, Reading, ServerError, Unusable

MAX_PAUSE_S = 120.0
"""A server that asks for a longer wait stops the run instead: waiting costs a person's time."""
_RETRIES = 5
_EXCERPT = 500
_LONGEST_PAGE = 10_000

Action: TypeAlias = Literal["retry", "pause", "raise"]
Fault: TypeAlias = Literal["connect", "silent", "broken", "deadline", "too_large", "settings"]
"""What a transport can do to a call: no connection, no bytes in time, bytes that break off, longer
than an attempt may take, more than a body may hold, or a request that could not be sent at all."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, for messages and for judging."""

    host: str
    model: str
    is_first: bool
    """No call to this server has succeeded yet."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A server's reply, its body read and decoded."""

    status: int
    headers: Mapping[str, str]
    """With lower-case names."""
    text: str
    is_flawed: bool = False
    """Bytes that are no UTF-8 were replaced."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try gave no answer, and what follows."""

    action: Action
    reason: str
    """Class of the failure; each has its own count of retries."""
    message: str
    error: type[TaskgraphError]
    """What is raised when no further try is made."""
    hint: str | None = None
    retries: int = _RETRIES
    """Further tries that failures of this class allow."""
    wait_s: float = 0.0
    """Seconds to wait at least, as the server asks."""
    usage: Usage | None = None
    """Tokens spent by the failed try, where the server told."""
    perhaps_paid: bool = False
    """The server may have finished, and charged for, an answer that nobody read."""
    without_provider: str | None = None
    """A provider to leave out at the next try."""
    without_effort: bool = False
    """The model cannot be told how hard to think: the next try must not say it."""


def judge_fault(fault: Fault, detail: str, asked: Asked) -> Failure:
    """Says what follows from a transport's fault.

    Args:
        fault: its kind.
        detail: the transport's own words, without secrets.
        asked: what was asked.
    """
    message = f"{_FAULTS[fault].format(host=asked.host)} ({detail})"
    if fault == "settings":
        hint = "Check the base URL and the key."
        return Failure("raise", "settings", message, WrongEndpoint, hint, retries=0)
    abandoned = fault in {"deadline", "too_large"}
    return Failure(
        "retry",
        fault,
        message,
        ModelUnreachable,
        hint="Check the network and the base URL, then resume.",
        retries=2 if abandoned else _RETRIES,
        perhaps_paid=abandoned or fault == "silent",
    )


def judge_reply(
    reply: HttpReply, reading: Reading, asked: Asked, now: datetime
) -> Completion | Failure:
    """Says what follows from a reply, or hands on the answer that it holds.

    Args:
        reply: the reply.
        reading: what its body says.
        asked: what was asked.
        now: the present, for waits that are given as a date.
    """
    if 300 <= reply.status < 400:
        return _redirected(reply, asked)
    if reply.status >= 400:
        error = reading if isinstance(reading, ServerError) else _bare_error(reply)
        return _judge_error(_Refusal(reply.status, error, reply, asked, now))
    match reading:
        case ServerError():
            # The status line was sent before the model ran: what went wrong since stands inside.
            return _judge_error(_Refusal(reading.status or 500, reading, reply, asked, now))
        case Unusable(why, usage):
            return _garbled(reply, asked, why, usage)
        case Completion():
            return _judge_completion(reading, asked) or reading


def excerpt(text: str) -> str:
    """Returns a server's text as one short line without markup."""
    # Cut first: the pattern takes the square of the length of a page that never closes its tags.
    bare = re.sub(r"(?is)<(script|style|head)\b.*?</\1>|<[^>]*>", " ", text[:_LONGEST_PAGE])
    line = " ".join(bare.split())
    return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "..."


_FAULTS: Mapping[Fault, str] = {
    "connect": "cannot connect to {host}",
    "silent": "{host} stopped sending",
    "broken": "the connection to {host} broke off",
    "deadline": "{host} did not finish its answer in time",
    "too_large": "{host} sent more than an answer may hold",
    "settings": "the request to {host} cannot be sent",
}
_OVERFLOW_KINDS = {"context_length_exceeded", "token_limit_exceeded", "string_too_long"}
_OVERFLOW = re.compile(
    r"maximum context length|context[_ ]length|context window|exceeds? the (available )?context"
    r"|exceed_context_size|prompt is too long|input (is )?too long|exceed context limit"
    r"|too many total text bytes|reduce the length|token limit reached",
    re.IGNORECASE,
)
_EFFORT = re.compile(r"reasoning[_. ]effort|support thinking|think value", re.IGNORECASE)
"""OpenAI and LiteLLM name the parameter; Ollama says that a model does not support thinking."""
_DAILY = re.compile(r"per[- _]day|daily", re.IGNORECASE)
_AFFORDABLE = re.compile(r"can only afford (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An error with everything that judging it needs."""

    status: int
    error: ServerError
    reply: HttpReply
    asked: Asked
    now: datetime

    @property
    def asked_wait_s(self) -> float:
        return asked_wait(self.reply.headers, self.error, self.now)

    @property
    def message(self) -> str:
        inside = "" if self.reply.status == self.status else f" inside a {self.reply.status}"
        said = excerpt(self.error.message)
        return f"{self.asked.host} answered HTTP {self.status}{inside} for {self.asked.model!r}: {said}"


def _judge_error(refusal: _Refusal) -> Failure:
    # The rate limit first: a limit on tokens per minute also speaks of a token limit.
    rules = (_rate_limit, _overflow, _availability, _known_status, _effort, _provider_fault)
    failures = (rule(refusal) for rule in rules)
    failure = next((found for found in failures if found), None) or _by_range(refusal)
    return replace(_not_too_long(failure), usage=refusal.error.usage)


def _rate_limit(refusal: _Refusal) -> Failure | None:
    if refusal.status != 429:
        return None
    if refusal.error.kind == "insufficient_quota":
        return _payment_required(refusal)
    if _DAILY.search(refusal.error.message):
        reset = resets_at(refusal.reply.headers, refusal.error)
        when = f"The limit resets at {reset:%Y-%m-%d %H:%M} UTC. " if reset else ""
        return _stop(refusal, ServiceExhausted, f"{when}Then: taskgraph resume OUTPUT.")
    return Failure(
        "pause",
        "rate limit",
        refusal.message,
        ServiceExhausted,
        "Lower --max-concurrency, or try later: taskgraph resume OUTPUT.",
        wait_s=refusal.asked_wait_s,
    )


def _overflow(refusal: _Refusal) -> Failure | None:
    tells = refusal.error.kind in _OVERFLOW_KINDS or _OVERFLOW.search(
        f"{refusal.error.kind} {refusal.error.message}"
    )
    if refusal.status == 413 or (refusal.status in {400, 422, 500} and tells):
        return Failure("raise", "context", refusal.message, ContextOverflow, retries=0)
    return None


def _availability(refusal: _Refusal) -> Failure | None:
    if refusal.error.retryable is None:
        return None
    return _server(refusal) if refusal.error.retryable else _model_unavailable(refusal)


def _known_status(refusal: _Refusal) -> Failure | None:
    judge = _BY_STATUS.get(refusal.status)
    return judge(refusal) if judge else None


def _effort(refusal: _Refusal) -> Failure | None:
    if refusal.status not in {400, 422} or not _EFFORT.search(refusal.error.message):
        return None
    return replace(
        _rejected(refusal), action="retry", reason="effort", retries=1, without_effort=True
    )


def _provider_fault(refusal: _Refusal) -> Failure | None:
    """A provider's own 400 that OpenRouter only passes on: another one may not mind."""
    if refusal.status != 400 or not refusal.error.provider:
        return None
    if not refusal.error.message.startswith("Provider returned error"):
        return None
    rejected = _rejected(refusal)
    return replace(
        rejected,
        action="retry",
        reason="provider",
        retries=1,
        without_provider=refusal.error.provider,
    )


def _by_range(refusal: _Refusal) -> Failure:
    return _server(refusal) if refusal.status >= 500 else _rejected(refusal)


def _server(refusal: _Refusal) -> Failure:
    return Failure(
        "retry",
        "server",
        refusal.message,
        ModelUnreachable,
        "The server has trouble: try later with taskgraph resume OUTPUT.",
        wait_s=refusal.asked_wait_s,
    )


def _unauthorised(refusal: _Refusal) -> Failure:
    return _stop(refusal, AuthenticationFailed, "Check the API key, then: taskgraph resume OUTPUT.")


def _payment_required(refusal: _Refusal) -> Failure:
    afford = _AFFORDABLE.search(refusal.error.message)
    left = f"The account can pay for {afford[1]} more tokens. " if afford else ""
    return _stop(refusal, PaymentRequired, f"{left}Add credit, then: taskgraph resume OUTPUT.")


def _forbidden(refusal: _Refusal) -> Failure:
    if refusal.error.reasons:
        why = f" (moderation: {', '.join(refusal.error.reasons)})"
        return replace(_rejected(refusal), message=refusal.message + why)
    hint = "A proxy, a firewall, or a limit of the key may be in the way."
    if refusal.asked.is_first:
        return _stop(refusal, AuthenticationFailed, hint)
    return replace(_rejected(refusal), hint=hint)


def _not_found(refusal: _Refusal) -> Failure:
    # An API says which model it lacks, as JSON; a web server says that it has no such page.
    is_page = not refusal.reply.text.lstrip().startswith("{")
    if is_page or refusal.error.message == "Not Found":
        return _wrong_endpoint(refusal)
    return _model_unavailable(refusal)


def _wrong_endpoint(refusal: _Refusal) -> Failure:
    hint = "Check the base URL: it ends before /chat/completions, often with /v1."
    return _stop(refusal, WrongEndpoint, hint)


def _model_unavailable(refusal: _Refusal) -> Failure:
    return _stop(refusal, ModelUnavailable, "Choose another model, then: taskgraph resume OUTPUT.")


def _rejected(refusal: _Refusal) -> Failure:
    return Failure("raise", "rejected", refusal.message, ModelRejected, retries=0)


def _stop(refusal: _Refusal, error: type[TaskgraphError], hint: str) -> Failure:
    return Failure("raise", "stop", refusal.message, error, hint, retries=0)


_BY_STATUS: Mapping[int, Callable[[_Refusal], Failure]] = {
    401: _unauthorised,
    402: _payment_required,
    403: _forbidden,
    404: _not_found,
    405: _wrong_endpoint,
    408: _server,
    409: _server,
    425: _server,
}


def _not_too_long(failure: Failure) -> Failure:
    if failure.wait_s <= MAX_PAUSE_S:
        return failure
    return replace(
        failure,
        action="raise",
        reason="stop",
        error=ServiceExhausted,
        message=f"{failure.message} (asks to wait {failure.wait_s:,.0f} s)",
        hint="Wait as long as the server asks, then: taskgraph resume OUTPUT.",
    )


def _judge_completion(completion: Completion, asked: Asked) -> Failure | None:
    if completion.is_empty:
        message = f"{asked.host} answered with nothing for {asked.model!r}"
        return Failure("retry", "empty", message, ModelGarbled, retries=2)
    if completion.finish_reason == "content_filter" and not completion.message.tool_calls:
        message = f"the content filter stopped {asked.model!r}"
        return Failure("retry", "filter", message, ModelRejected, retries=1, usage=completion.usage)
    return None


def _garbled(reply: HttpReply, asked: Asked, why: str, usage: Usage | None) -> Failure:
    kind = reply.headers.get("content-type", "no content type").partition(";")[0]
    message = f"got {kind} from {asked.host} that is no answer: {excerpt(why)}"
    hint = "Check the base URL: something else than a chat-completions API may answer there."
    return Failure("retry", "garbled", message, ModelGarbled, hint, usage=usage)


def _redirected(reply: HttpReply, asked: Asked) -> Failure:
    target = reply.headers.get("location", "nowhere")
    message = f"{asked.host} answered HTTP {reply.status}: the base URL redirects to {target}"
    hint = "Set the base URL to the address it redirects to."
    return Failure("raise", "stop", message, WrongEndpoint, hint, retries=0)


def _bare_error(reply: HttpReply) -> ServerError:
    return ServerError(excerpt(reply.text) or "an empty body")
