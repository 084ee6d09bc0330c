"""Sentences that are written in English and said in another language later."""

from __future__ import annotations

import pickle

from glean.errors import GleanError, SettingsError, said_by
from glean.languages.language import language
from glean.languages.sentences import Sentence

VALUES = Sentence("{count} values", count=1200)
WHOLE = Sentence("{values}, as in the header; none missing", values=VALUES)


def test_who_knows_no_languages_has_a_plain_text() -> None:
    assert WHOLE == "1,200 values, as in the header; none missing"
    assert f"{WHOLE}!" == "1,200 values, as in the header; none missing!"
    assert language("en").translate_sentence(WHOLE) == WHOLE


def test_each_language_says_all_of_it() -> None:
    """Numbers too; a plain text, and a name in braces that a value has, stay as they are."""
    german = language("de")
    said = german.translate_sentence(WHOLE)
    assert said == "1.200 Werte, wie in der Kopfzeile; keiner darf fehlen"
    assert german.translate_sentence("1 value") == "1 value"
    assert german.translate_sentence(Sentence("1 value")) == "1 Wert"
    braced = Sentence("the columns {columns}", columns="{count}")
    assert language("fr").translate_sentence(braced) == "les colonnes {count}"


def test_it_comes_whole_from_another_process() -> None:
    for sentence in (WHOLE, Sentence("the columns {columns}", columns="{x}")):
        again = pickle.loads(pickle.dumps(sentence))  # noqa: S301 # our own
        assert again == sentence
        german = language("de")
        assert german.translate_sentence(again) == german.translate_sentence(sentence)


def test_an_error_says_the_sentence_that_it_was_made_of() -> None:
    assert language("de").translate_sentence(said_by(GleanError(VALUES))) == "1.200 Werte"
    assert language("de").translate_sentence(said_by(SettingsError("plain"))) == "plain"
    assert said_by(GleanError("a", "b")) == str(GleanError("a", "b"))
