"""A key that a spec's own code puts into its exceptions is neither shown nor stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from taskgraph.cli import group
from taskgraph.parts import Identity
from taskgraph.settings import RunSettings

KEY = "sk-or-v1-0123456789abcdef"
LEAK = "raise RuntimeError('403 for Bearer ' + os.environ['OPENROUTER_API_KEY'])"
SPECS = {
    "a source": f"import os\ndef rows():\n    {LEAK}\nNODES = [{{'name': 'a', 'source': rows}}]",
    "an export": "import os\nNODES = [{'name': 'a', 'source': [{'id': 1}]}]\n"
    f"def write(connection, path):\n    {LEAK}\nEXPORTS = {{'a.txt': write}}",
    "the module": f"import os\n{LEAK}",
}


@pytest.mark.parametrize("json", [(), ("--json",)], ids=["lines", "json"])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_key_in_the_words_of_a_specs_own_error_is_left_out(
    spec: str, json: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    Path("spec.py").write_text(spec)

    result = CliRunner().invoke(group, ["run", "-s", "spec.py", "-o", "out.db", *json])

    assert result.exit_code in (1, 2)
    assert "403 for Bearer [key]" in result.output
    assert KEY not in result.output
    assert not any(KEY.encode() in file.read_bytes() for file in tmp_path.glob("out.db*"))


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("http://127.0.0.1:8815/api/v1", "http://127.0.0.1:8815/api/v1"),
        (f"https://me:{KEY}@host.example:8443/v1?key=abc#abc", "https://host.example:8443/v1"),
        (f"https://host.example/{KEY}/v1", "https://host.example/[key]/v1"),
        ("http://me:abc@[::1/v1", ""),
    ],
    ids=["plain", "user and query", "key in the path", "no address"],
)
def test_address_is_on_record_without_credentials(address: str, kept: str) -> None:
    identity = Identity.new(RunSettings(base_url=address))
    text = identity.to_json()
    assert (Identity.from_json(text).settings.base_url, KEY in text, "abc" in text) == (
        kept,
        False,
        False,
    )
