from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
import pytest

from ingesting import Desk, Write


def test_a_relative_path_starts_from_the_given_folder(desk: Desk, write: Write) -> None:
    write("data/a.csv", "n\n1\n")
    assert desk.take(Path("data/a.csv"), write("x", "").parent).rows == [(1,)]


def test_without_a_folder_a_path_starts_from_the_working_directory(
    desk: Desk, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write("a.csv", "n\n1\n").parent)
    assert desk.take("a.csv").rows == [(1,)]


def test_a_pattern_reads_its_files_in_the_order_of_their_names(desk: Desk, write: Write) -> None:
    for name in ("2024-10", "2024-2", "2024-02"):
        write(f"months/{name}.csv", f"month\nm{name}\n")
    taken = desk.take("months/*.csv", write("x", "").parent)
    assert taken.column("month") == ["m2024-02", "m2024-10", "m2024-2"]
    assert [file.path for file in taken.ingested.files] == [
        "months/2024-02.csv",
        "months/2024-10.csv",
        "months/2024-2.csv",
    ]


def test_the_record_says_what_the_file_was_and_not_where(desk: Desk, write: Write) -> None:
    content = b"n\n1\n"
    path = write("data/a.csv", content)
    for source in (path, "data/a.csv"):
        [facts] = desk.take(source, path.parent.parent).ingested.files
        assert facts.path == "data/a.csv"
        assert facts.size_bytes == len(content)
        assert facts.sha256 == hashlib.sha256(content).hexdigest()


def test_a_file_outside_of_the_folder_goes_by_its_bare_name(
    desk: Desk, write: Write, tmp_path: Path
) -> None:
    path = write("elsewhere/a.csv", "n\n1\n")
    [facts] = desk.take(path, tmp_path / "specs").ingested.files
    assert facts.path == "a.csv"


def test_data_from_python_has_no_files(desk: Desk) -> None:
    assert desk.take([{"a": 1}]).ingested.files == ()


def test_a_missing_file_names_the_folder_and_similar_files(
    desk: Desk, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write("specs/data/payments.csv", "").parent.parent.parent)
    assert str(desk.refusal("data/payment.csv", Path("specs").absolute())) == (
        "there is no file 'data/payment.csv'; looked in 'specs/data' of the working "
        "directory, which has 'payments.csv'"
    )


def test_a_missing_folder_is_named(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(desk.refusal("data/in/payment.csv", tmp_path)) == (
        "there is no file 'data/in/payment.csv'; looked in the working directory, which has no "
        "folder 'data'"
    )


def test_a_pattern_without_a_match_says_where_it_looked(
    desk: Desk, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write("data/readme.txt", "").parent.parent)
    assert str(desk.refusal("data/*.csv")) == (
        "no file matches 'data/*.csv'; looked in 'data' of the working directory, which has no "
        "such file"
    )


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_a_file_whose_name_looks_like_a_pattern_is_no_other(
    desk: Desk, write: Write, ending: str
) -> None:
    folder = write("x", "").parent
    for number, name in enumerate(("we[i]rd?", "weird1", "weird?"), start=1):
        pl.DataFrame({"n": [number]}).write_parquet(folder / f"{name}.parquet")
        write(f"{name}.csv", f"n\n{number}\n")
        write(f"{name}.json", f'[{{"n": {number}}}]')
    assert desk.take(f"we[i]rd?.{ending}", folder).rows == [(1,)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("books/*.xlsx", "'books/*.xlsx': a pattern cannot name workbooks; name one file"),
        (
            {"path": "books", "format": "csv"},
            "'books' is a folder; name a file, or a pattern such as '*.csv'",
        ),
    ],
    ids=["pattern of workbooks", "folder"],
)
def test_what_is_not_one_table_is_refused(
    desk: Desk, write: Write, source: object, message: str
) -> None:
    folder = write("books/a.xlsx", "").parent.parent
    assert str(desk.refusal(source, folder)) == message


def test_no_message_holds_an_absolute_path(desk: Desk, write: Write, tmp_path: Path) -> None:
    for name in ("a.csv", "a.parquet", "a.json", "a.xlsx", "a.xls"):
        path = write(f"data/{name}", b"\x00\xff{[\n1,2\n")
        assert str(tmp_path) not in str(desk.refusal(path, tmp_path))
        assert str(tmp_path) not in str(desk.refusal(tmp_path / f"no{name}", tmp_path))


def test_a_file_that_may_not_be_read_is_named(
    desk: Desk, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("a.csv", "a\n1\n")

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as a user who may read all
    assert str(desk.refusal(path)) == "'a.csv' cannot be read: Permission denied"
