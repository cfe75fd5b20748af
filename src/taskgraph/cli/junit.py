"""A run as JUnit XML: each node is a suite, each of its checks a case.

The form is what CI systems agree on: https://github.com/testmoapp/junitxml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import click

from taskgraph.cli.code_frame import without_place
from taskgraph.cli.failures import reason_lines, rows_lines
from taskgraph.errors import OutputError
from taskgraph.events import CheckResult, Outcome
from taskgraph.evidence import NO_EVIDENCE, Evidence
from taskgraph.report import RunReport

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""
_WIDTH = 100


def write_junit(report: RunReport, path: Path) -> None:
    """Writes a run's record for a CI system.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(junit_xml(report))
    except OSError as error:
        raise OutputError(f"{str(path)!r} cannot be written: {error.strerror}") from error


def junit_xml(report: RunReport) -> bytes:
    """Returns a run's record as JUnit XML."""
    root = Element("testsuites", name="taskgraph")
    for outcome in report.outcomes:
        suite = SubElement(root, "testsuite", name=outcome.node, time=_seconds(outcome.elapsed_ms))
        suite.extend(_cases(outcome, report.evidence.get(outcome.node, NO_EVIDENCE)))
        _count(suite)
    if report.exports:
        suite = SubElement(root, "testsuite", name="exports")
        suite.extend(_exports(report.exports))
        _count(suite)
    indent(root)
    return tostring(root, encoding="utf-8", xml_declaration=True)


def _cases(outcome: Outcome, evidence: Evidence) -> Iterator[Element]:
    results = {name: list(group) for name, group in groupby(outcome.checks, lambda one: one.check)}
    for name, found in results.items():
        yield _check(outcome, name, found, evidence)
    if not any(result.status == "fail" for result in outcome.checks):
        yield _itself(outcome, evidence)


def _check(outcome: Outcome, name: str, results: list[CheckResult], evidence: Evidence) -> Element:
    case = _case(outcome.node, name)
    told = "\n".join(f"{one.status}: {one.message}" for one in results)
    failed = [one for one in results if one.status == "fail"]
    if failed:
        rows = evidence.rows.get(name)
        text = "\n".join(rows_lines(rows, _WIDTH)) if rows else told
        _tell(case, "failure", failed[0].message, text)
    else:
        SubElement(case, "system-out").text = _plain(told)
    return case


def _itself(outcome: Outcome, evidence: Evidence) -> Element:
    """Returns the case that the node runs at all, where no check says more."""
    case = _case(outcome.node, "runs")
    match outcome.status:
        case "failed" | "stopped":
            text = "\n".join(reason_lines(outcome, evidence, _WIDTH))
            _tell(case, "error", outcome.error or outcome.status, text)
        case "skipped" | "cancelled":
            SubElement(case, "skipped", message=_plain(outcome.error or outcome.status))
        case _:
            pass
    return case


def _exports(exports: Mapping[str, str | None]) -> Iterator[Element]:
    for name, error in exports.items():
        case = _case("exports", name)
        if error is not None:
            _tell(case, "error", error, error)
        yield case


def _case(suite: str, name: str) -> Element:
    return Element("testcase", classname=suite, name=_plain(name))


def _tell(case: Element, tag: str, message: str, text: str) -> None:
    SubElement(case, tag, message=_plain(without_place(message))).text = _plain(text)


def _count(suite: Element) -> None:
    suite.set("tests", str(len(suite)))
    for name, tag in {"failures": "failure", "errors": "error", "skipped": "skipped"}.items():
        suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.3f}"


def _plain(text: str) -> str:
    return _NO_XML.sub("?", click.unstyle(text))
