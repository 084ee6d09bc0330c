"""The catalogues: every sentence in every language, and none that nobody says."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po

from glean.languages.catalogues import LOCALES, read_catalogue
from glean.languages.language import LANGUAGES
from glean.service.web.rendering import TEMPLATES
from glean.shop.web.rendering import TEMPLATES as SHOP_TEMPLATES

REPOSITORY = Path(__file__).parents[2]
ROOM = "glean/languages"
TEMPLATE = "/tmp/glean.pot"  # noqa: S108 # as in CONTRIBUTING.md; none is written here
EXTRACT = (
    "pybabel extract --no-location -k translate -k translate_count:1,2 -k translatable "
    f"-F {ROOM}/babel.toml -o {TEMPLATE} glean"
)
UPDATE = (
    "pybabel update -N --no-wrap --ignore-obsolete --ignore-pot-creation-date "
    f"-i {TEMPLATE} -d {ROOM}/locale"
)
ADVICE = f"bring the catalogues up to date and translate what is empty:\n  {EXTRACT}\n  {UPDATE}"

TRANSLATED = ["de", "fr"]


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """What is said, extracted as CONTRIBUTING.md says."""
    template = tmp_path_factory.mktemp("words") / "pages.pot"
    given = EXTRACT.replace(TEMPLATE, str(template)).split()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        CommandLineInterface().run([given[0], "-q", *given[1:]])  # type: ignore[no-untyped-call]
    with template.open("rb") as file:
        return read_po(file)


@cache
def catalogue(code: str) -> Catalog:
    return read_catalogue(code)


def messages_of(found: Catalog) -> list[Message]:
    """All but the header."""
    return [message for message in found if message.id]


def ids_of(message: Message) -> tuple[str, ...]:
    return message.id if isinstance(message.id, tuple) else (str(message.id),)


def forms_of(message: Message) -> tuple[str, ...]:
    """The translation, in all its forms."""
    return message.string if isinstance(message.string, tuple) else (str(message.string or ""),)


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|{\w+[^{}]*}", text))


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_has_every_sentence_and_no_other(sentences: Catalog, code: str) -> None:
    """As Babel extracts them from the code and the templates now."""
    wanted = {message.id for message in messages_of(sentences)}
    found = {message.id for message in messages_of(catalogue(code))}
    assert len(wanted) > 100
    assert not wanted - found, f"{code} lacks {sorted(map(str, wanted - found))}; {ADVICE}"
    assert not found - wanted, f"nobody says {sorted(map(str, found - wanted))}; {ADVICE}"
    assert not catalogue(code).obsolete, ADVICE


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_sentence_is_translated(code: str) -> None:
    """In every form, by somebody, with the same placeholders."""
    assert not catalogue(code).fuzzy
    for message in messages_of(catalogue(code)):
        assert not message.fuzzy, f"{code}: {message.id!r} was guessed; {ADVICE}"
        ids, forms = ids_of(message), forms_of(message)
        assert len(forms) == len(ids), message.id
        for form in forms:
            assert form.strip(), f"{code} doesn't translate {message.id!r}; {ADVICE}"
            assert placeholders(form) <= placeholders(ids[-1]), message.id
        assert placeholders(forms[-1]) == placeholders(ids[-1]), message.id


def test_the_first_french_form_has_the_number() -> None:
    """It goes with none and with one."""
    for message in messages_of(catalogue("fr")):
        assert placeholders(forms_of(message)[0]) == placeholders(ids_of(message)[-1]), message.id


def test_catalogues_name_nobody() -> None:
    """There is a `.po` for each language but English, and nothing else."""
    files = sorted(path for path in LOCALES.rglob("*") if path.is_file())
    assert files == sorted(LOCALES / c / "LC_MESSAGES" / "messages.po" for c in TRANSLATED)
    assert {"en", *TRANSLATED} == set(LANGUAGES)
    for path in files:
        assert not re.search(r"@|FIRST AUTHOR|FULL NAME|^#:", path.read_text("utf-8"), re.MULTILINE)


def test_the_docs_have_the_commands() -> None:
    """Those that are run here."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    joined = re.sub(r"\\\n\s*", "", text)
    assert EXTRACT in joined
    assert UPDATE in joined


@pytest.mark.parametrize(
    "path",
    [*sorted(TEMPLATES.glob("*.html")), *sorted(SHOP_TEMPLATES.glob("*.html"))],
    ids=lambda path: f"{path.parents[2].name}-{path.name}",
)
def test_a_template_says_nothing_unmarked(path: Path) -> None:
    """What stands there outside of braces is no word of any language, but for the name."""
    text = path.read_text("utf-8")
    spoken = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"{]*)["{]', text)
    plain = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", " ", text, flags=re.DOTALL)
    words = re.findall(r"[^\W\d_]+", " ".join([*spoken, re.sub(r"<[^>]*>", " ", plain)]))
    assert set(words) <= {"Glean", "glean"}


def marked_in_f_strings(source: str) -> list[int]:
    """Lines of sentences that Babel passes over, as they stand within an f-string."""
    marks = {"translate", "translate_count", "translatable", "gettext", "ngettext", "_"}
    return [
        call.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.JoinedStr)
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and getattr(call.func, "attr", getattr(call.func, "id", "")) in marks
        and call.args
        and isinstance(call.args[0], ast.Constant)
    ]


def test_no_sentence_stands_in_an_f_string() -> None:
    """There it would stay English, and nobody would miss it."""
    assert marked_in_f_strings("f\"{say.translate('A pear.')} {_('Two.')}\"") == [1, 1]
    found = {
        path.name: lines
        for path in (REPOSITORY / "glean").rglob("*.py")
        if (lines := marked_in_f_strings(path.read_text("utf-8")))
    }
    assert found == {}
