from __future__ import annotations

import errno
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from glean.cli.data import app
from glean.cli.errors import BAD_INPUT, friendly_errors
from glean.cli.import_help import EXAMPLES, GROUPS
from glean.cli.import_options import ImportOptions
from glean.errors import GleanError, SalesError
from glean.sales.reading.sales_file import read_sales
from tests.sales.importing.workbooks import Rows, xlsx_of

TILL = "Datum;Filiale;Artikel;Stück\n13.05.2024;Nord;Semmel;5\n14.05.2024;Nord;Semmel;-1\n"


def glean_data(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def till(folder: Path, text: str = TILL) -> list[str]:
    path = folder / "till.csv"
    path.write_text(text, encoding="cp1252")
    names = "--date Datum --bakery Filiale --product Artikel --units Stück"
    return ["import", str(path), *names.split(), "--out", str(folder / "table.csv")]


def test_friendly_errors_turn_messages_into_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """A Glean error becomes its message on stderr; a programmer's slip stays as it is."""

    @friendly_errors()
    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(Exception, match=str(BAD_INPUT)) as caught:
        fail(GleanError("what was found"))
    assert getattr(caught.value, "exit_code", None) == BAD_INPUT
    assert capsys.readouterr().err == "what was found\n"
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())


def test_generate_writes_the_same_files_every_time(tmp_path: Path) -> None:
    """Two bakeries become two files, identical to the byte when made again."""
    for name in ("a", "b"):
        result = glean_data("generate", "--bakeries", "2", "--out", str(tmp_path / name))
        assert result.exit_code == 0, result.output
    first, again = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab"
    )
    assert len(first) == 2
    assert first == again


def test_generate_refuses_unknown_scenarios(tmp_path: Path) -> None:
    """A scenario that there isn't ends with exit code 2 and its name."""
    result = glean_data("generate", "--scenario", "martian", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "martian" in result.output


@pytest.mark.parametrize("out", ["taken", "taken/below", "folder"])
def test_generate_refuses_a_folder_that_cannot_be(out: str, tmp_path: Path) -> None:
    """A file where the folder should be, or a folder where a file should be, is told by name."""
    (tmp_path / "taken").write_text("precious")
    (tmp_path / "folder" / "bakery_1.csv").mkdir(parents=True)
    result = glean_data("generate", "--bakeries", "1", "--out", str(tmp_path / out))
    assert result.exit_code == BAD_INPUT
    assert f"{tmp_path / out}" in result.output
    assert "can't be written" in result.output
    assert (tmp_path / "taken").read_text() == "precious"


def test_import_quotes_the_next_step(tmp_path: Path) -> None:
    """A path with blanks can be pasted from the line of what comes next."""
    out = tmp_path / "my table.csv"
    result = glean_data(*till(tmp_path), "--returns", "net", "--out", str(out))
    assert f"next        glean data check '{out}'" in result.output


def test_import_says_what_it_found_and_did(tmp_path: Path) -> None:
    """The report tells encoding, delimiter, dates, numbers, returns, span and what comes next."""
    result = glean_data(*till(tmp_path), "--returns", "net")
    assert result.exit_code == 0, result.output
    for words in (
        "encoding cp1252, a semicolon",
        "day, month, year",
        "decimal point",
        "1 negative value",
        "2 rows, 2024-05-13 to 2024-05-14",
        "1: Nord",
        "Nord has 2 trading days",
        f"next        glean data check {tmp_path / 'table.csv'}",
    ):
        assert words in result.output
    rows = read_sales(tmp_path / "table.csv").rows
    assert rows["units"].tolist() == [5.0, 0.0]


def test_import_never_overwrites_unasked(tmp_path: Path) -> None:
    """A table that is there is kept, unless --force; nothing half-written stays behind."""
    words = [*till(tmp_path), "--returns", "drop"]
    (tmp_path / "table.csv").write_text("precious")
    result = glean_data(*words)
    assert result.exit_code == 2
    assert "--force replaces it" in result.output
    assert (tmp_path / "table.csv").read_text() == "precious"
    assert glean_data(*words, "--force").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv", "till.csv"]


def test_import_finds_its_way_through_several_workbooks(tmp_path: Path) -> None:
    """Without an option for a column; what was found is shown before the table is written."""
    for number in (1, 2):
        sheets: dict[str, Rows] = {
            f"Day {day}": [[f"0{day}.0{number}.2024"], ["Artikel", "Menge"], ["Roll", day]]
            for day in (3, 4)
        }
        xlsx_of(tmp_path / f"{number}.xlsx", sheets)
    out = tmp_path / "table.csv"
    books = [str(tmp_path / "1.xlsx"), str(tmp_path / "2.xlsx")]
    result = glean_data("import", *books, "--bakery-name", "N", "--out", str(out))
    assert result.exit_code == 0, result.output
    words = result.output.split("\n")
    assert words[0] == "sheets      4 like 1.xlsx, sheet 'Day 3': header on line 2"
    labels = [line.split(" ")[0] for line in words]
    assert labels.index("result") < labels.index("written")
    assert read_sales(out).rows["units"].tolist() == [3.0, 4.0, 3.0, 4.0]
    some = glean_data("import", *books, "--bakery-name", "N", "--sheet", "Day 3", "--out", str(out))
    assert some.exit_code == BAD_INPUT
    result = glean_data(
        "import", books[0], "--sheet", "Day 3", "--sheet", "Day 4", "--out", str(out), "--force"
    )
    assert len(read_sales(out).rows) == 2


@pytest.mark.parametrize("rows", [[["Datum", "Menge"], ["1.5.2024", "#REF!"]], [["Notes"]], []])
def test_import_writes_nothing_of_a_workbook_that_it_cannot_read(
    rows: Rows, tmp_path: Path
) -> None:
    """Nor a layout; the sheet is named, and the exit code isn't 0."""
    book = str(xlsx_of(tmp_path / "book.xlsx", {"Till": rows}))
    layout, out = tmp_path / "layout.json", tmp_path / "table.csv"
    result = glean_data("import", book, "--layout", str(layout), "--out", str(out))
    assert result.exit_code == BAD_INPUT
    assert f"{book}, sheet 'Till'" in result.output or "nothing in its sheets" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["book.xlsx"]


def test_import_shows_before_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full at the end, what was found has been shown."""
    monkeypatch.setattr("glean.operations.tables.import_sales.write_sales", closed_to_us)
    result = glean_data(*till(tmp_path), "--returns", "net")
    assert result.exit_code == BAD_INPUT
    assert "result      2024-05-13  Nord, Semmel: 5" in result.output
    assert "written" not in result.output


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "--returns net"),
        (["--returns", "maybe"], "--returns: found 'maybe'"),
        (["--keep", "a=b,a=c"], "--keep: found 'a=c'"),
        (["--since", "1.1.2024"], "--since: found '1.1.2024'; wanted a day like"),
        (["--quantity", "Stück"], "--quantity goes with --till-lines"),
        (["--region", "XX-YY"], "XX-YY"),
        (["--out", "table.xlsx"], "wanted .csv, .csv.gz or .parquet"),
        (["--align-rows", "nowhere.csv"], "no such file"),
        (["--delimiter", "#"], "--delimiter: found '#'"),
        (["--day-starts", "late"], "--day-starts: found 'late'; wanted a time like 04:00"),
        (["--timezone", "Berlin"], "--timezone: found 'Berlin'; wanted a time zone like Europe/B"),
        (["--decimal", "Stück=;"], "--decimal: found ';'"),
        (["--decimal", ".", "--decimal", ","], "--decimal: found ','; wanted one mark for each"),
        (["--line-kind", "Storno"], "--line-kind: found 'Storno'; wanted a word of that column"),
        (["--line-kind", "Storno"], "void or discount), like --line-kind Storno=void"),
        (["--line-kind", "A=B"], "--line-kind: found 'A=B'; wanted a word of that column and what"),
        (
            ["--line-kind", "A=void", "--line-kind", "A=sale"],
            "--line-kind: found 'A=sale'; wanted one kind for each word",
        ),
        (["--decimal", "Stuck=."], "'Stuck', named by --decimal; perhaps 'Stück'?"),
        (["--sheet", "A"], "--sheet: found no workbook; wanted 'A'"),
        (["--bakery", "", "--bakery-name", "(all)"], "--bakery-name: found '(all)'"),
        (["--product", "Stück"], "'Stück' twice, --units and --product"),
    ],
)
def test_import_refuses_with_a_message(more: list[str], words: str, tmp_path: Path) -> None:
    """What can't be done ends with exit code 2 and a message, and writes nothing."""
    text = TILL if not more else TILL.replace("-1", "1")
    result = glean_data(*till(tmp_path, text), *more)
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert not (tmp_path / "table.csv").exists()


def closed_to_us(*_: object, **__: object) -> bool:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_import_into_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    """A file where the folder of the table should be is told, and stays as it is."""
    (tmp_path / "taken.csv").write_text("precious")
    out = str(tmp_path / "taken.csv" / "table.csv")
    result = glean_data(*till(tmp_path, TILL.replace("-1", "1")), "--out", out)
    assert result.exit_code == BAD_INPUT, result.output
    assert "can't be written" in result.output
    assert (tmp_path / "taken.csv").read_text() == "precious"


def test_folders_closed_to_the_user_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where not even looking is allowed, reading and writing say so."""
    monkeypatch.setattr(Path, "exists", closed_to_us)
    result = glean_data(*till(tmp_path))
    assert result.exit_code == BAD_INPUT, result.output
    assert "table.csv: can't be written (Permission denied)" in result.output
    monkeypatch.setattr("glean.sales.reading.text_files.read_regular", closed_to_us)
    with pytest.raises(SalesError, match="can't be read \\(Permission denied\\)"):
        read_sales(tmp_path / "till.csv")


def test_check_tells_usable_from_unusable(tmp_path: Path) -> None:
    """A sound table ends with 0 and a sentence; a wrong one with 1 and its problems."""
    assert glean_data(*till(tmp_path), "--returns", "drop").exit_code == 0
    result = glean_data("check", str(tmp_path / "table.csv"))
    assert result.exit_code == 0, result.output
    assert "Semmel" in result.output
    assert "can be used as it is" in result.output
    result = glean_data("check", str(tmp_path / "till.csv"))
    assert result.exit_code == 1
    assert "a semicolon between the values" in result.output
    assert "can't be used yet" in result.output


@pytest.mark.parametrize(
    ("code", "heading", "verdict"),
    [
        ("en", "last day", "table.csv can be used as it is"),
        ("de", "erster Tag", "table.csv lässt sich so verwenden"),
        ("fr", "premier", "table.csv est utilisable tel quel"),
    ],
)
def test_check_speaks_a_language(tmp_path: Path, code: str, heading: str, verdict: str) -> None:
    """Tables and sentences; what is wrong with a file stays English."""
    assert glean_data(*till(tmp_path), "--returns", "drop").exit_code == 0
    result = glean_data("check", str(tmp_path / "table.csv"), "--language", code)
    assert result.exit_code == 0, result.output
    assert heading in result.output
    assert verdict in result.output
    result = glean_data("check", str(tmp_path / "till.csv"), "--language", code)
    assert result.exit_code == 1
    assert "a semicolon between the values" in result.output


def test_check_speaks_no_other_language(tmp_path: Path) -> None:
    """It says which there are, before it looks at the file."""
    result = glean_data("check", str(tmp_path / "none.csv"), "--language", "it")
    assert result.exit_code == 2
    assert "--language: found 'it'; wanted one of en, de, fr" in result.output


def test_the_help_has_each_option_in_a_group_and_an_example_of_each_group() -> None:
    """No option is forgotten, and every example is one that can be typed."""
    grouped = [name for names in GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped))
    options = {field.name for field in fields(ImportOptions)}
    assert options - set(grouped) == {"files", "out", "force"}
    result = CliRunner().invoke(app, ["import", "--help"], env={"COLUMNS": "200"})
    assert EXAMPLES.keys() == GROUPS.keys()
    for heading, words in EXAMPLES.items():
        assert f"─ {heading} ─" in result.output
        assert f"glean data import {words}" in result.output
        typed = {
            word.removeprefix("--").replace("-", "_") for word in words.split() if "--" in word
        }
        assert typed <= options
        assert typed & set(GROUPS[heading])
