"""The report in Japanese: its catalogue, and how English text finds its translation."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import polib
import pytest
from convstudy.config.settings import Report
from convstudy.display import fonts, language
from convstudy.display.language import Catalogue, catalogue
from fontTools.ttLib import TTFont

TAG = re.compile(r"</?[a-z]+\d*>")
KANA = "\u3040-\u30ff"
KANJI = "\u4e00-\u9fff"
# Half-width punctuation between Japanese characters.
HALF_WIDTH = re.compile(rf"[{KANA}{KANJI}][,.;:?!]|[,.;:?!][{KANA}{KANJI}]")


def entries() -> polib.POFile:
    return polib.pofile(str(language.FOLDER / "ja.po"))


def test_every_language_can_be_chosen():
    chosen = get_args(Report.model_fields["language"].annotation)
    assert set(chosen) == {*language.LANGUAGES}


def test_the_catalogue_is_complete_and_consistent():
    found = entries()
    assert not found.fuzzy_entries()
    assert not found.untranslated_entries()
    keys = [(entry.msgctxt, entry.msgid) for entry in found]
    assert len(set(keys)) == len(keys)
    for entry in found:
        holes = [set(language.HOLE.findall(text)) for text in (entry.msgid, entry.msgstr)]
        assert holes[0] == holes[1], entry.msgid
        tags = [sorted(TAG.findall(text)) for text in (entry.msgid, entry.msgstr)]
        assert tags[0] == tags[1], entry.msgid
        assert not HALF_WIDTH.search(entry.msgstr), entry.msgstr


def test_the_font_has_every_character():
    known = TTFont(fonts.japanese()).getBestCmap()
    used = set("".join(entry.msgstr for entry in entries()))
    assert {one for one in used if ord(one) > 0x2E7F and ord(one) not in known} == set()


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], Catalogue]:
    """Return a function that makes a catalogue with some phrases."""

    def make(phrases: dict[str, str]) -> Catalogue:
        written = polib.POFile()
        written.extend(polib.POEntry(msgid=key, msgstr=value) for key, value in phrases.items())
        written.save(str(tmp_path / "ja.po"))
        monkeypatch.setattr(language, "FOLDER", tmp_path)
        return Catalogue("ja")

    return make


@pytest.mark.parametrize(
    ("english", "translated"),
    [
        ("best epoch", "最良のエポック"),
        ("Not known here", "Not known here"),
        # Numbers in any form, and a percent sign without its space.
        ("1,000 of 50,000", "50,000中1,000"),
        ("−2.5 % of 1e−05", "1e−05中−2.5%"),
        ("many of 5", "many of 5"),
        # What is in a hole is translated if it is known.
        ("best epoch wins", "最良のエポックが勝つ"),
        ("C D D wins", "C D Dが勝つ"),
        # Sentences, clauses and items one by one, if all are known.
        ("C wins. best epoch. 1 of 2.", "Cが勝つ。最良のエポック。2中1。"),
        ("1 of 2, best epoch.", "2中1、最良のエポック。"),
        ("C wins. What else?", "C wins. What else?"),
    ],
)
def test_text_finds_its_translation(made, english: str, translated: str):
    phrases = {
        "best epoch": "最良のエポック",
        "{n} of {n2}": "{n2}中{n}",
        "{module} wins": "{module}が勝つ",
    }
    phrases |= {"{module} wins.": "{module}が勝つ。"}
    assert made(phrases).text(english) == translated


def test_a_page_keeps_its_attributes_and_says_what_is_english(made):
    english = (
        '<html lang="en"><head></head><body><p>Go to <a href="#x">one</a> or'
        ' <a class="b" href="#y">two</a>, <code>run one</code>.</p><p>nobody knows this</p>'
        '<img alt="one"/><td><span class="pill"><i>!</i> two</span></td></body></html>'
    )
    phrases = {
        "Go to <a>one</a> or <a2>two</a2>, <code>{any}</code>.": (
            "<code>{any}</code>：<a2>二</a2>か<a>一</a>へ。"
        ),
        "one": "一",
        "two": "二",
    }
    shown = made(phrases).page(english)
    assert '<html lang="ja">' in shown
    assert (
        '<p><code>run one</code>：<a class="b" href="#y">二</a>か<a href="#x">一</a>へ。</p>'
        in shown
    )
    assert '<p><span lang="en">nobody knows this</span></p><img alt="一"/>' in shown
    assert '<td><span class="pill"><i>!</i> 二</span></td>' in shown


def test_english_stays_as_it_is():
    assert catalogue("en").page("<p>best  epoch</p>") == "<p>best  epoch</p>"
    assert catalogue("en").text("at  50 %") == "at  50 %"
    assert catalogue("en").text("50 %") == "50 %"
