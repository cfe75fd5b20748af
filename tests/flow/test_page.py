"""The page of a run, as a browser shows it: on a desk and on a phone, by day and by night."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Generator
from io import BytesIO
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from builders import prompt, source, spec_of, sql
from running import run_spec
from taskgraph.cli import group
from taskgraph.llm.scripted import ScriptedModel, run_sql
from taskgraph.page import page_of

HOSTILE = "</script><script>document.title = 'broken into'</script><img src=https://example.org/x>"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
Scheme = Literal["light", "dark"]
PASSED = {"light": (0x1A, 0x7F, 0x4B), "dark": (0x5F, 0xCF, 0x97)}


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    spec = spec_of(
        source("orders", [{"id": number, "text": HOSTILE} for number in range(30)]),
        sql(
            "clean",
            "CREATE VIEW clean_all AS SELECT id AS number, upper(text) AS loud FROM orders",
            ["orders"],
            validate={"few": "SELECT 'warn' AS status, 'row ' || number AS message FROM clean_all"},
        ),
        prompt("story", f"Tell it. {HOSTILE}", ["clean"]),
        sql("broken", "CREATE VIEW broken_all AS SELECT 1 // 0 AS x, error('no way') AS y FROM orders", ["orders"]),
        sql("after", depends_on=["broken"], text="CREATE VIEW after_all AS FROM broken_all"),
    )  # fmt: skip
    model = ScriptedModel(
        {
            "story": [
                run_sql("CREATE VIEW story_result AS SELECT max(number) AS last FROM clean_all"),
                f"Told. {HOSTILE}",
            ]
        }
    )
    ran = asyncio.run(run_spec(spec, folder, model=model))
    page = folder / "page.html"
    page.write_text(page_of(ran.path), encoding="utf-8")
    return page


def test_what_data_and_models_say_is_text_and_nothing_is_fetched(html: Path) -> None:
    text = html.read_text(encoding="utf-8")
    assert text.count("<script") == 1
    assert "&lt;/script&gt;&lt;script&gt;" in text
    assert "<img" not in text


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("needs the system's Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def shown(
    request: pytest.FixtureRequest, browser: Browser, html: Path
) -> Generator[tuple[Page, Scheme]]:
    width, scheme = request.param
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(html.as_uri())
    yield page, scheme
    assert asked == [html.as_uri()]
    assert page.title() == "out.db"
    page.close()


def test_the_page_fits_its_window_and_shows_what_happened(shown: tuple[Page, Scheme]) -> None:
    page, scheme = shown
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#graph .box").count() == 5
    assert page.locator("#nodes tbody tr").count() == 5
    assert page.locator("#node-broken .error").first.is_visible()
    assert page.locator("#node-after").inner_text().startswith("skipped after")
    assert not page.locator("#table-story_result").is_visible()
    box = page.locator("#graph .box.passed").first
    painted = Image.open(BytesIO(box.screenshot())).convert("RGB")
    colours = {colour for _, colour in painted.getcolors(maxcolors=1 << 16) or []}
    assert PASSED[scheme] in colours


def test_a_node_of_the_graph_opens_its_part(shown: tuple[Page, Scheme]) -> None:
    page, _ = shown
    page.locator("#graph a[href='#node-story']").click()
    part = page.locator("#node-story")
    assert part.locator("#table-story_result").is_visible()
    assert HOSTILE in part.inner_text()
    part.get_by_text("Where its columns come from").click()
    [row] = part.locator("table.lineage tbody tr").all()
    assert row.inner_text().split("\t") == ["last", "BIGINT", "clean_all.number", "orders.id"]
    row.locator("a[href='#table-orders']").click()
    assert page.locator("#table-orders").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_command_writes_beside_the_file_and_replaces_only_when_told(html: Path) -> None:
    file = html.with_name("out.db")
    beside = html.with_name("out.html")

    def report(*arguments: str) -> int:
        return CliRunner().invoke(group, ["report", *arguments]).exit_code

    assert report(str(file)) == 0
    assert beside.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    beside.write_text("mine")
    assert report(str(file)) == 2
    assert beside.read_text() == "mine"
    assert report(str(file), "-f") == 0
    assert beside.read_text() != "mine"
    assert report(str(file), "-o", str(html.parent / "none" / "x.html")) == 2
    assert report(str(html)) == 2
