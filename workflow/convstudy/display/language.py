"""Other languages: finished English text, translated where it leaves.

All code writes English. Figures are translated when they are saved, the page when it is rendered,
and its scripts translate what they show. A gettext catalogue, ``languages/LANGUAGE.po``, holds what
translators know as units: a line of a figure, a sentence, or the whole content of an HTML element.
In a msgid, ``{n}``, ``{n2}``, ... stand for numbers, ``{any}`` for any text, and other names in
braces for names and for text that the catalogue has. Tags stand without attributes; of several with
attributes, the second is ``<a2>``.
"""

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from convstudy.display import fonts
from convstudy.display.formats import THIN, script_json

if TYPE_CHECKING:
    from bs4 import NavigableString, Tag
    from matplotlib.figure import Figure

ENGLISH = "en"
FOLDER = Path(str(files(__package__) / "languages"))
LANGUAGES = (ENGLISH, *sorted(path.stem for path in FOLDER.glob("*.po")))
HOLE = re.compile(r"\{(\w+)\}")
NUMBER = rf"[−+-]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?:e[−+-]?\d+)?(?:[ {THIN}]?%)?"
# Any text within a sentence.
ANY = r"(?:(?![.!?;:] ).)+?"
# Where a text can be cut that the catalogue lacks as a whole: after sentences, clauses, and the
# items of a list, with what then stands between the translations.
CUTS = ((r"(?<=[.!?]) ", ""), ("(?<=;) ", ""), ("(?<=:) ", ""), (", ", "、"))
# Elements within a line of text; any other one is a unit or contains units.
INLINE = {"a", "b", "br", "code", "em", "i", "small", "span", "strong"}
UNREAD = {"code", "pre", "script", "style", "svg"}
# A table that becomes cards on phones shows the last one before each cell.
ATTRIBUTES = ("alt", "aria-label", "data-head")
# For readers of the page's scripts.
SCRIPT = "script"
LATIN = re.compile(r"[A-Za-z]{2,}")
# Two words, so that no name counts as English.
FOREIGN = re.compile(r"\w{2},? [a-z]{2}", re.ASCII)


class Phrase:
    """A unit of a catalogue, with holes."""

    def __init__(self, english: str, translated: str) -> None:
        parts = HOLE.split(english)
        self.translated = translated
        self.literal = max(parts[::2], key=len)
        self.length = sum(map(len, parts[::2]))
        self.opens = not parts[0]
        named: list[str] = []
        for place, part in enumerate(parts):
            wanted = {"n": NUMBER, "any": ".+?"}.get(part.rstrip("0123456789"), ANY)
            named.append(f"(?P<{part}>{wanted})" if place % 2 else re.escape(part))
        self._pattern = re.compile("".join(named))

    def match(self, text: str) -> dict[str, str] | None:
        """Return what is in the holes, if this is the phrase."""
        if self.literal not in text:
            return None
        found = self._pattern.fullmatch(text)
        return found.groupdict() if found else None


class Catalogue:
    """The translations into a language; for English, all text stays as it is."""

    def __init__(self, language: str) -> None:
        import polib

        self.language = language
        found = [] if language == ENGLISH else polib.pofile(str(FOLDER / f"{language}.po"))
        for_scripts = [entry for entry in found if entry.msgctxt == SCRIPT]
        others = [entry for entry in found if entry.msgctxt != SCRIPT]
        for_scripts.sort(key=lambda entry: -len(entry.msgid))
        self._scripts = {entry.msgid: entry.msgstr for entry in for_scripts}
        known = self._scripts | {entry.msgid: entry.msgstr for entry in others}
        self._exact = {key: value for key, value in known.items() if not HOLE.search(key)}
        phrases = [Phrase(key, value) for key, value in known.items() if HOLE.search(key)]
        # The most specific first; one that begins with a hole could take a sentence's beginning.
        self._phrases = sorted(phrases, key=lambda phrase: (phrase.opens, -phrase.length))

    def find(self, english: str) -> str | None:
        """Translate one unit, or return None if the catalogue lacks it."""
        if english in self._exact:
            return self._exact[english]
        for phrase in self._phrases:
            held = phrase.match(english) or {}
            filled = {name: self._held(name, text) for name, text in held.items()}
            if filled and None not in filled.values():
                return phrase.translated.format_map(filled)
        return None

    def _held(self, name: str, text: str) -> str | None:
        """Translate what is in a hole; names stay, but other English is not taken for a name."""
        if name == "any":
            return text
        found = self._known(text)
        return text if found is None and not FOREIGN.search(text) else found

    def text(self, english: str) -> str:
        """Translate plain text; what the catalogue lacks remains English."""
        if self.language == ENGLISH:
            return english
        words = re.sub(r"[ \n]+", " ", english).strip(" ")
        return self._known(words) or english

    def _known(self, words: str, cuts: Sequence[tuple[str, str]] = CUTS) -> str | None:
        """Translate words as a whole or else in parts; None if the catalogue lacks any of them."""
        found = self.find(words) if LATIN.search(words) else _close(words)
        if found is None and words.endswith(".") and (found := self.find(words[:-1])):
            found += "。"
        if found is not None:
            return found
        for place, (cut, between) in enumerate(cuts, 1):
            parts = re.split(cut, words)
            known = [self._known(part, cuts[place:]) for part in parts] if parts[1:] else [None]
            if None not in known:
                return between.join(map(str, known))
        return None

    def figure(self, figure: "Figure") -> "Figure":
        """Translate a figure's texts in place, and return it."""
        from matplotlib.text import Text

        if self.language == ENGLISH:
            return figure
        for axes in figure.axes:
            for axis in (axes.xaxis, axes.yaxis):
                # Their texts are written again when the figure is drawn.
                named = getattr(axis.get_major_formatter(), "seq", None)
                if named:
                    axis.set_ticklabels([self._lines(str(name)) for name in named])
        for text in figure.findobj(Text):
            text.set_text(self._lines(text.get_text()))
        return figure

    def _lines(self, english: str) -> str:
        """Translate lines into as many."""
        found = self.text(english)
        number = english.count("\n") + 1
        if found == english:
            return found
        length = -(-len(found) // number)
        return "\n".join(found[at : at + length] for at in range(0, len(found), length))

    def page(self, html: str) -> str:
        """Translate a page; text that stays English is marked as such."""
        if self.language == ENGLISH:
            return html
        from bs4 import BeautifulSoup

        page = BeautifulSoup(html, "html.parser")
        page.html["lang"] = self.language  # type: ignore[index]
        for element in page.find_all(True):
            for attribute in ATTRIBUTES:
                if words := element.get(attribute):
                    element[attribute] = self.text(str(words))
        self._content(page)
        phrases = page.new_tag("script", type="application/json", id="phrases")
        phrases.string = script_json(self._scripts)
        page.body.insert(0, phrases)  # type: ignore[union-attr]
        sheet = page.new_tag("style")
        sheet.string = fonts.embedded(page.decode())
        page.head.append(sheet)  # type: ignore[union-attr]
        return page.decode(formatter="minimal")

    def _content(self, element: "Tag") -> None:
        """Translate an element's content as a whole, or else its parts."""
        from bs4 import BeautifulSoup, NavigableString, Tag

        if element.name in UNREAD or not element.get_text(strip=True):
            return
        if all(tag.name in INLINE for tag in element.find_all(True)):
            opened: dict[str, str] = {}
            found = self.find(_markup(element, opened).strip())
            if found is not None:
                content = re.sub(r"<\w+>|</\w+>", lambda tag: opened.get(tag[0], tag[0]), found)
                element.clear()
                element.extend(list(BeautifulSoup(content, "html.parser").contents))
                return
        for part in list(element.children):
            if isinstance(part, Tag):
                self._content(part)
            elif type(part) is NavigableString and part.strip():
                self._line(part)

    def _line(self, line: "NavigableString") -> None:
        """Translate text between tags."""
        english = str(line)
        found = self.text(english)
        if found != english:
            words = english.strip()
            before, _, after = english.partition(words)
            line.replace_with(f"{before}{found}{after}")
        elif FOREIGN.search(english) and line.parent and line.parent.name != "title":
            from bs4 import Tag

            line.wrap(Tag(name="span", attrs={"lang": ENGLISH}))


def _close(number: str) -> str:
    """Write a number without a space before its per cent sign."""
    return re.sub(rf"(?<=\d)[ {THIN}]%", "%", number)


def _markup(element: "Tag", opened: dict[str, str]) -> str:
    """Write an element's content with its tags' attributes left out.

    Args:
        opened: Receives each of those tags in full.
    """
    from bs4 import NavigableString, Tag

    written = ""
    for part in element.children:
        if isinstance(part, Tag):
            name, number = part.name, 1
            if part.attrs:
                while f"<{name}>" in opened:
                    number += 1
                    name = f"{part.name}{number}"
                # In an attribute, bs4 writes > as an entity.
                opened[f"<{name}>"] = f"{str(part).partition('>')[0]}>"
                opened[f"</{name}>"] = f"</{part.name}>"
            inner = _markup(part, opened)
            written += f"<{name}>" if part.name == "br" else f"<{name}>{inner}</{name}>"
        elif type(part) is NavigableString:
            written += escape(re.sub(r"[ \n]+", " ", part), quote=False)
    return written


@cache
def catalogue(language: str) -> Catalogue:
    """Return a language's catalogue."""
    return Catalogue(language)
