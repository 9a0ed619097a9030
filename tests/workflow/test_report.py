"""The report, rendered from sample results and opened in a real browser."""

import html
import io
import re
import shutil
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from convstudy.analyses.article_study import tables
from convstudy.claims import ledger, verdicts
from convstudy.config import analyses
from convstudy.core.files import file_digest, write_csv
from convstudy.display import fonts, language, style
from convstudy.provenance.job_records import recorded
from convstudy.report import parts, rendering
from convstudy.report.report import Report
from convstudy.results.run import Results
from helpers.browser import DARK, DESKTOP, PHONE, browse, needs_browser, run
from helpers.paths import ROOT
from helpers.results import write_analyses, write_judged, write_sample
from matplotlib.text import Text
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageStat

TITLE = "A report & its </script> title"


@dataclass
class Rendered:
    folder: Path
    path: Path
    text: str

    @cached_property
    def page(self) -> BeautifulSoup:
        return BeautifulSoup(self.text, "html.parser")


def render(folder: Path, beyond: bool = False, **sample) -> Rendered:
    results = Results(write_sample(folder / "results", **sample))
    if beyond:
        write_analyses(results.folder)
    write_judged(results)
    drawn = [f"results/figures/{name}.svg" for name in parts.drawings(results.analyses)]
    plotting = SimpleNamespace(
        rule="plot_figures",
        wildcards={},
        params={"code": "0123"},
        threads=1,
        input=["results/data/summary.json"],
        output=drawn,
    )
    with recorded(plotting, folder):
        parts.draw_figures(results, results.folder / "figures")
    path = folder / "report.html"
    rendering.render(results, TITLE, folder / "report.ipynb", path)
    return Rendered(folder, path, path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return render(tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return render(tmp_path_factory.mktemp("synthetic"), synthetic=True, replicates=1)


@pytest.fixture(scope="module")
def beyond(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return render(tmp_path_factory.mktemp("beyond"), beyond=True)


def test_what_was_made_is_shown_and_what_was_not_is_named(beyond: Rendered, real: Rendered):
    results = Results(beyond.folder / "results")
    made = len(beyond.page.select("main img"))
    assert made == len(parts.drawings(results.analyses)) > len(parts.drawings([]))
    assert not re.search(r"\bnan\b", beyond.page.get_text())
    for name in analyses.names():
        words = f"Add {name} to analyses in the config"
        assert words in real.page.get_text().replace("\u2019", "'")
        assert words not in beyond.page.get_text().replace("\u2019", "'")
    assert len(real.page.select("main h2")) == len(beyond.page.select("main h2")) == 9


def test_no_table_is_wider_than_its_reader_sees(beyond: Rendered):
    for table in beyond.page.select("table:not(.cards-on-phones)"):
        heads = table.select("thead th")
        assert len(heads) <= 7
        hidden = [head for head in heads if "wide-only" in head.get("class", [])]
        assert len(heads) - len(hidden) <= 5
        # A note names the columns hidden on phones.
        said = table.parent.find_next_sibling("p", class_="phone-only")
        assert all(head.get_text() in said.get_text() for head in hidden)


def test_the_page_needs_nothing_else(real: Rendered):
    page = real.page
    assert not page.select("script[src], iframe, object, embed, link[rel=stylesheet]")
    [_] = page.select("script:not([type])")
    assert {one["data-interactive"] for one in page.select("[hidden]")} == {
        "explorer",
        "links",
        "tradeoff",
    }
    for element in page.select("[src], link[href]"):
        assert (element.get("src") or element.get("href")).startswith("data:"), element.name
    # Namespaces in embedded pictures are names, not addresses; style sheets load nothing.
    assert not re.search(r"@import|url\((?!['\"]?data:|%23)", real.text)
    assert len(real.text.encode()) < 4e6


def test_the_page_names_no_folder_of_this_machine(real: Rendered):
    for text in (real.text, unquote(real.text)):
        assert str(real.folder) not in text
        assert str(ROOT) not in text
        assert str(Path.home()) + "/" not in text


def test_every_figure_is_embedded_and_described(real: Rendered):
    images = real.page.select("img")
    assert len(images) == len(parts.drawings([]))
    assert len(real.page.select("picture source")) == len(parts.drawings([]))
    for image in images:
        assert image["src"].startswith("data:image/svg+xml,")
        assert len(image["alt"]) > 30
    assert len({image["alt"] for image in images}) == len(images)
    assert all(figure.figcaption.get_text(strip=True) for figure in real.page.select("figure"))


def test_every_figure_says_how_it_was_made(real: Rendered):
    names = parts.drawings([])
    folds = [figure.select_one("details.made") for figure in real.page.select("figure")]
    assert len(folds) == len(names)
    digest = Results(real.folder / "results").data["digest"]
    for name in names:
        [fold] = [one for one in folds if f"figures/{name}.svg" in one.get_text()]
        assert file_digest(real.folder / f"results/figures/{name}.svg") in fold.get_text()
        assert digest in fold.get_text()
        target = real.page.find(id=fold.a["href"].removeprefix("#"))
        assert "plot_figures" in target.find_parent("details").get_text()
        assert not fold.has_attr("open")


def test_a_figure_that_is_not_as_recorded_says_so(real: Rendered, tmp_path: Path):
    shutil.copytree(real.folder / "results", tmp_path / "results")
    with (tmp_path / "results/figures/single_kind.svg").open("a") as file:
        file.write(" ")
    report = Report(tmp_path / "results")
    assert "Changed since its job wrote it" in report.figure("single_kind").text
    assert "Changed since" not in report.figure("learning_curves").text
    (tmp_path / "results/provenance/plot_figures.json").unlink()
    report = Report(tmp_path / "results")
    assert "No job record for" in report.figure("learning_curves").text


def test_contents_lead_to_every_section(real: Rendered):
    page = real.page
    identifiers = [element["id"] for element in page.select("[id]")]
    assert len(identifiers) == len(set(identifiers))
    links = [link["href"] for link in page.select("nav a")]
    headings = [heading.get_text() for heading in page.select("main h2")]
    assert [link.get_text() for link in page.select("nav a")] == ["The answer", *headings]
    assert len(headings) > 8
    assert page.find(id=links[0].removeprefix("#")).select_one(".answer")
    for link in links[1:]:
        assert page.find(id=link.removeprefix("#")).h2, link


def test_headings_language_and_title_are_in_order(real: Rendered):
    page = real.page
    assert page.html["lang"] == "en"
    assert page.title.get_text() == page.h1.get_text() == TITLE
    levels = [int(heading.name[1]) for heading in page.select("h1, h2, h3, h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_wide_tables_scroll_in_a_box_of_their_own(real: Rendered):
    tables_shown = real.page.select("table:not(.cards-on-phones)")
    assert len(tables_shown) >= 8
    for table in tables_shown:
        box = table.parent
        assert "scroll" in box["class"]
        if box.has_attr("aria-labelledby"):
            assert real.page.find(id=box["aria-labelledby"]).get_text()
        else:
            assert box["aria-label"]
        widths = {
            sum(int(cell.get("colspan", 1)) for cell in row.find_all(["td", "th"]))
            for row in table.find_all("tr")
        }
        assert len(widths) == 1


def test_all_claims_are_there_with_their_verdicts(real: Rendered):
    cards = {card["id"]: card for card in real.page.select(".card")}
    table = Results(real.folder / "results").table("claims.csv")
    # The article's arithmetic is in a table with the stated and the computed numbers.
    exact = (table["basis"] == "arithmetic") & (table["source"] != ledger.OWN)
    for row in table[exact].itertuples():
        shown = real.page.find("tr", id=f"claim-{row.id}").get_text()
        assert row.statement.replace(" %", "\u202f%") in shown
        assert row.verdict in shown
    assert set(cards) == {f"claim-{name}" for name in table[~exact]["id"]}
    for row in table[~exact].itertuples():
        card = cards[f"claim-{row.id}"]
        assert card.select_one(".claim").get_text() == row.statement.replace(" %", "\u202f%")
        assert row.verdict in card.select_one(".pill").get_text()
        assert row.refuted_by[1:] in card.select_one("details").get_text()


def test_the_first_page_answers_and_counts_verdicts_apart(real: Rendered):
    first = real.page.select_one("main section")
    table = Results(real.folder / "results").table("claims.csv")
    assert "In this small run, Conv2D was" in first.select_one(".answer").get_text()
    assert "A hint, not a verdict." in first.select_one(".box").get_text()
    link = first.select_one(".box a")
    assert real.page.find(id=link["href"].removeprefix("#")).select("li")
    stated = table[table["source"] != ledger.OWN]
    rows = first.select(".verdicts tbody tr")
    for row, basis in zip(rows, ("arithmetic", "training", "timing"), strict=True):
        of_basis = stated[stated["basis"] == basis]
        assert row.th.get_text().startswith(f"{len(of_basis)} on ")
        for verdict, number in of_basis["verdict"].value_counts().items():
            assert f"{number} {verdict}" in row.get_text(" ")
        for seen, number in of_basis["here"].value_counts().items():
            shown = [element.get_text() for element in row.select(".seen")]
            assert any(text.startswith(f"{number} {seen.removesuffix('s')}") for text in shown)
    kinds = [row.get_text(" ") for row in first.select(".kinds tbody tr")]
    assert "87.66" in kinds[0]
    assert "\u22123.33" in kinds[1]
    assert "in this run: " in kinds[2]


@pytest.fixture(scope="module")
def refuted(beyond: Rendered, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """Show claims of which one on arithmetic and one on training fail."""
    folder = tmp_path_factory.mktemp("refuted") / "results"
    shutil.copytree(beyond.folder / "results", folder)
    table = pd.read_csv(folder / "claims.csv")
    good = table["basis"].eq("arithmetic") & table["verdict"].eq(verdicts.NOT_REPRODUCED)
    table.loc[good, "verdict"] = verdicts.VERDICTS[True]
    failing = ["conv2d_filters", "place_matters"]
    table.loc[table["id"].isin(failing), "verdict"] = verdicts.NOT_REPRODUCED
    write_csv(folder / "claims.csv", table)
    report = Report(folder)
    page = BeautifulSoup(report.first_page().text + report.scorecard().text, "html.parser")
    return table, page


def test_topics_fold_unless_a_claim_fails(refuted: tuple):
    table, page = refuted
    topics = page.select("details.topic")
    group = table["basis"].mask(table["source"] == ledger.OWN, ledger.OWN)
    assert len(topics) == len(table.groupby(["topic", group]))
    unfolded = [topic.summary.get_text(" ") for topic in topics if topic.has_attr("open")]
    assert [line.partition(" \N{BALLOT X} ")[0].strip() for line in unfolded] == [
        "Search with a penalty",
        "Filters and computation",
    ]
    assert all("1 not reproduced" in line for line in unfolded)


def test_the_first_page_links_to_the_claims_by_verdict(refuted: tuple):
    table, page = refuted
    stated = table[table["source"] != ledger.OWN]
    links = page.select(".verdicts a")
    assert len(links) == len(stated[["basis", "verdict"]].drop_duplicates())
    for link in links:
        basis, _, verdict = link["href"].removeprefix("#").partition("-")
        listed = page.find(id=link["href"].removeprefix("#"))
        expected = stated[stated["basis"] == basis]
        expected = expected[expected["verdict"].str.replace(" ", "-") == verdict]
        found = [one["href"].removeprefix("#claim-") for one in listed.select("a")]
        assert found == expected["id"].tolist()
        assert link.get_text(" ").split()[1] == str(len(found))
        # A browser opens what is folded around a link's target, but not the target itself.
        assert listed.find_parent("details").summary
    every = [one["href"] for one in page.select(".by-verdict a")]
    assert sorted(every) == sorted(f"#claim-{name}" for name in table["id"])
    assert all(page.find(id=target.removeprefix("#")) for target in every)


def test_a_real_run_has_no_banner_but_its_reductions(real: Rendered):
    assert not real.page.select(".banner")
    text = real.page.get_text()
    assert all(reduction in text for reduction in Results(real.folder / "results").reductions)


def test_a_synthetic_run_says_so_before_anything_else(synthetic: Rendered):
    banner = synthetic.page.select_one("main .banner")
    assert "Synthetic data" in banner.get_text()
    assert Results(synthetic.folder / "results").fallbacks[0] in banner.get_text()
    before = synthetic.text[synthetic.text.index("<main") : synthetic.text.index('banner"')]
    assert "<p" not in before
    assert "not judged: no CIFAR-10" in synthetic.page.select_one(".verdicts").get_text()
    assert synthetic.page.title.get_text() == f"Synthetic images: {TITLE}"
    assert not re.search(r"\d\d\.\d.%", synthetic.page.select_one("main section").get_text())


def test_numbers_in_tables_come_from_the_results(real: Rendered):
    results = Results(real.folder / "results")
    text = real.page.get_text(" ")
    best = results.studies["penalised"].best
    assert f"{best['objective'].iloc[0]:.4f}" in text
    assert f"{results.counts['parameters'].iloc[0]:,}" in text
    for row in tables.single_kind(results).itertuples():
        assert f"{100 * row.mean:.1f}\u202f%" in text


PROBE = """
  const images = [...document.images];
  const decoded = await Promise.allSettled(images.map((image) => image.decode()));
  return {
    decoded: decoded.filter((one) => one.status === "fulfilled").length,
    widths: images.map((image) => image.naturalWidth),
    shown: document.querySelectorAll(".sum strong, .winner circle").length,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    requested: performance.getEntriesByType("resource")
      .map((entry) => entry.name).filter((name) => !name.startsWith("data:")),
  };
"""
CONSOLE = ":CONSOLE"


@needs_browser
@pytest.mark.parametrize("kind", ["real", "synthetic"])
def test_the_page_opens_in_a_browser_without_a_network(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
):
    found, messages = browse(request.getfixturevalue(kind).text, tmp_path, PROBE)
    number = len(parts.drawings([]))
    assert found["decoded"] == number
    assert len(found["widths"]) == number
    assert min(found["widths"]) > 100
    # On a narrow screen only the boxes scroll sideways, never the page.
    assert found["overflow"] <= 0
    assert found["shown"] == 2
    assert found["requested"] == []
    assert CONSOLE not in messages


@needs_browser
def test_a_page_that_asks_for_more_would_be_found_out(real: Rendered, tmp_path: Path):
    address = "http://elsewhere.invalid/picture.png"
    more = f"<img src='{address}'><p style='width: 2000px'>wide</p><script>oops()</script></main>"
    found, messages = browse(real.text.replace("</main>", more), tmp_path, PROBE)
    assert found["requested"] == [address]
    assert found["decoded"] == len(found["widths"]) - 1
    assert found["overflow"] > 0
    assert CONSOLE in messages


KEYS = """
  const press = (node, key) =>
    node.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const text = (selector) => document.querySelector(selector)?.textContent;
"""
EXPLORE = """
  const area = document.querySelector("[data-interactive=explorer] .panel[tabindex]");
  const first = text(".sum .cell");
  const stops = document.querySelectorAll(".stage [tabindex]").length;
  area.focus();
  press(area, "PageDown");
  const second = text(".sum .cell");
  press(area, "Escape");
  const left = document.activeElement === document.body;
  const choose = (name, value) => {
    const box = document.querySelector(`[data-interactive=explorer] select[name=${name}]`);
    box.value = value;
    box.dispatchEvent(new Event("change"));
  };
  choose("padding", "same");
  const padded = text(".sum");
  choose("stride", "2");
  choose("dilation", "2");
  const refused = text(".sum");
  const other = document.querySelector("input[value=Conv2DTranspose]");
  other.click();
  // Settings of one's own stay.
  const kept = document.querySelector("select[name=stride]").value;
  document.querySelector("[name=article]").click();
  const transposed = text(".sum .cell");
  const met = document.querySelectorAll(".stage td.meets").length;
  return { first, second, stops, left, padded, refused, kept, transposed, met };
"""


@needs_browser
def test_the_explorer_answers_to_keys_and_choices(real: Rendered, tmp_path: Path):
    found, _ = browse(real.text, tmp_path, KEYS + EXPLORE)
    assert found["first"] == "Row 1, column 1, channel 1: 598.5"
    assert found["second"] == "Row 1, column 1, channel 2: 615.6"
    assert (found["stops"], found["left"]) == (1, True)
    assert "10 more products fall on the zeros of the padding." in found["padded"]
    assert "not both" in found["refused"]
    assert found["kept"] == "2"
    # As the article says, six products beside the corner: of two input cells with three channels.
    assert found["transposed"] == "Row 1, column 2, channel 1: 8.2"
    assert found["met"] == 12


SLIDE = """
  const root = document.querySelector("[data-interactive=tradeoff]");
  const slider = root.querySelector("input[type=range]");
  const all = (selector) => [...root.querySelectorAll(selector)];
  const order = () => all(".order tbody th").map((one) => one.firstChild.data);
  const to = (step) => {
    slider.value = String(step);
    slider.dispatchEvent(new Event("input"));
    return { order: order(), said: root.querySelector(".winner text").textContent };
  };
  const begins = slider.value;
  const steps = [0, 41, 61].map(to);
  const svg = root.querySelector(".chart > svg");
  svg.focus();
  press(svg, "End");
  const largest = root.querySelector(".readout").textContent;
  press(svg, "Escape");
  const left = document.activeElement === document.body;
  const stops = svg.querySelectorAll("[tabindex]").length;
  const costs = all("select option").map((one) => one.textContent);
  const notes = all(".order small").map((one) => one.textContent.trim());
  return { begins, steps, largest, left, stops, costs, notes: [...new Set(notes)] };
"""


@needs_browser
def test_the_slider_moves_the_winner(beyond: Rendered, tmp_path: Path):
    found, _ = browse(beyond.text, tmp_path, KEYS + SLIDE)
    results = Results(beyond.folder / "results")
    modules = results.table("module_table/summary.csv")
    size = modules["parameters"] / modules["parameters"].median()
    points = 100 * 0.05 * modules["parameters"].median() / (250_000 * 0.25**2)
    for one, factor in zip(found["steps"], (0, 1, 10), strict=True):
        objective = 100 * (1 - modules["mean"]) + factor * points * size
        best = modules.loc[objective.idxmin(), "module"]
        assert one["order"][0] == style.letters(best, results.networks)
        assert one["said"] == f"lowest objective: {one['order'][0]}"
        assert len(one["order"]) == len(modules)
    assert (found["begins"], found["left"], found["stops"]) == ("41", True, 0)
    largest = modules.loc[modules["parameters"].idxmax()]
    assert found["largest"].startswith(f"{largest['module']}: {largest['parameters']:,} parameters")
    assert found["costs"] == ["parameters", "MACs", "latency, ms"]
    assert found["notes"]


HEARD = """
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return [window.heard ?? null];
"""


@needs_browser
@pytest.mark.parametrize("allowed", ["", "allow-scripts"])
def test_the_page_stands_in_a_sandboxed_frame(real: Rendered, tmp_path: Path, allowed: str):
    """A preview of a stranger's repository shows it so, with or without scripts."""
    told = (
        "<script>parent.postMessage(document.querySelector('.sum .cell').textContent, '*')</script>"
    )
    inner = html.escape(real.text.replace("</body>", f"{told}</body>"))
    heard = (
        "<script>addEventListener('message', (event) => { window.heard = event.data; })</script>"
    )
    page = f'<body>{heard}<iframe sandbox="{allowed}" srcdoc="{inner}"></iframe></body>'
    found, messages = browse(page, tmp_path, HEARD, DESKTOP)
    assert found == (["Row 1, column 1, channel 1: 598.5"] if allowed else [None])
    assert "Uncaught" not in messages


@needs_browser
def test_a_page_printed_from_a_dark_screen_is_dark_on_white(real: Rendered, tmp_path: Path):
    shade = """
      const colour = (name) => getComputedStyle(document.body)[name].match(/[0-9]+/g).map(Number);
      return [colour("color"), colour("backgroundColor")];
    """
    [ink, paper], _ = browse(real.text, tmp_path, shade, PHONE, DARK)
    assert sum(ink) > 600 > 100 > sum(paper)
    printed = []
    for flags in [(), (DARK,)]:
        to = tmp_path / "printed.pdf"
        run(real.path, *flags, f"--print-to-pdf={to}", "--no-pdf-header-footer")
        printed.append(to.stat().st_size)
    # Dates and the numbers of elements differ, in as many digits; other colours would not.
    assert printed[0] == printed[1] > 500_000


# Text whose background axe cannot tell, by its message, and why a reader can tell it. The colours
# are tested in test_template.
UNJUDGED = {
    "bgGradient": "tables with a shadow where they go on",
    "elmPartiallyObscured": "rows of the list of modules that are scrolled out of sight",
    "imgNode": "text in the chart of modules, dark on white",
    "bgOverlap": "the name beside the chart's winner, with an outline in white",
    "nonBmp": "marks beside verdicts, which are words, too",
    "shortTextContent": "single digits in tables",
}
AXE = """
  const { violations, incomplete } = await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
  });
  const short = (found) => found.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]);
  const reason = (node) => node.any[0]?.data?.messageKey;
  const reasons = incomplete.flatMap(({ nodes }) => nodes.map(reason));
  return { violations: short(violations), reasons };
"""


@needs_browser
@pytest.mark.parametrize(
    "screen", [(DESKTOP,), (DESKTOP, DARK), (PHONE,)], ids=["light", "dark", "phone"]
)
def test_axe_finds_nothing(beyond: Rendered, tmp_path: Path, validators: Path, screen: tuple):
    axe = validators / "package/axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not there: .ci/run fetches it")
    page = beyond.text.replace("</body>", f"<script>{axe.read_text('utf-8')}</script></body>")
    found, _ = browse(page, tmp_path, AXE, *screen)
    assert found["violations"] == []
    assert {*found["reasons"]} <= {*UNJUDGED}


# Latin letters that stay in Japanese: names, units, and the article's own terms.
NAMES = """
    Adam AMD BatchNormalization CIFAR Conv2D Conv2DTranspose CPU DepthwiseConv2D Depthwise EPYC
    GPUs Holm JPEG Keras Linux MAC MobileNet NumPy Optuna Pointwise Qiita SHA SeparableConv2D
    Separable TPE TensorFlow UTC Xception adam constant convstudy koshian2 liar momentum rmsprop sgd
    tpe conv depthwise separable Tree structured Parzen Estimator cifar10 jpeg cpu keras matplotlib
    nbconvert numpy optuna pandas papermill python seaborn snakemake tensorflow
"""
# What holds evidence on single claims, or code; they are not translated.
LEFT = ".evidence, .card details, .statements td, code, pre, script, style, .facts.bare"
WORD = re.compile(r"[A-Za-z][A-Za-z0-9]+")


def latin(text: str) -> set[str]:
    """Return the words in Latin letters that are neither names, files nor digests."""
    words = [word for word in text.split() if not re.search(r"[/_.]|[0-9a-f]{7}", word)]
    return {word for word in WORD.findall(" ".join(words)) if word not in NAMES.split()}


@pytest.fixture(scope="module")
def japanese(beyond: Rendered) -> BeautifulSoup:
    return BeautifulSoup(language.catalogue("ja").page(beyond.text), "html.parser")


def test_the_japanese_report_has_no_english_but_evidence(japanese: BeautifulSoup, real: Rendered):
    shown = BeautifulSoup(str(japanese), "html.parser")
    assert (shown.html["lang"], shown.h1.get_text()) == ("ja", TITLE)
    for element in (shown.h1, shown.title, *shown.select(LEFT)):
        element.decompose()
    spoken = [
        element[name] for name in language.ATTRIBUTES for element in shown.select(f"[{name}]")
    ]
    assert {text: latin(text) for text in [*shown.stripped_strings, *spoken] if latin(text)} == {}
    # Evidence says that it is English.
    assert all(element.find_parent(class_=True) for element in japanese.select("[lang=en]"))
    assert len(japanese.select(".evidence [lang=en], .evidence[lang=en]")) > 20
    assert len(real.page.select("[lang=en]")) == 1


INTERACTIVE = """
  const texts = [...document.querySelectorAll(".interactive")].map((one) => one.innerText);
  document.querySelector("input[value=SeparableConv2D]").click();
  const choice = document.querySelector("[data-interactive=tradeoff] select");
  choice.value = "latency";
  choice.dispatchEvent(new Event("change"));
  const svg = document.querySelector(".chart > svg");
  svg.focus();
  press(svg, "End");
  texts.push(...[...document.querySelectorAll(".interactive")].map((one) => one.innerText));
  const said = [...document.querySelectorAll(".interactive [aria-label]")];
  return texts.concat(said.map((one) => one.getAttribute("aria-label"))).join("\\n");
"""


@needs_browser
def test_scripts_speak_the_pages_language(japanese: BeautifulSoup, tmp_path: Path):
    found, messages = browse(str(japanese), tmp_path, KEYS + INTERACTIVE)
    assert "出力：セルを選択" in found
    assert "レイテンシーが中央値のとき" in found
    assert latin(found) - {"Page", "Up", "Down", "same", "valid", "depth"} == set()
    assert CONSOLE not in messages


def test_every_glyph_is_in_a_font(beyond: Rendered, caplog: Any, recwarn: Any):
    """Matplotlib warns of a missing glyph or, within formulas and of fonts, logs it."""
    results = Results(beyond.folder / "results")
    drawings = parts.drawings(results.analyses)
    for spoken, name in [("en", "single_kind"), *(("ja", name) for name in drawings)]:
        figure = language.catalogue(spoken).figure(drawings[name].draw(results))
        if spoken == "ja":
            shown = [text.get_text() for text in figure.findobj(Text)]
            assert set().union(*map(latin, shown)) <= {"ms", "tensorflow", "float32"}, name
        # A class of one's own images may have such a name, in English, too.
        figure.axes[0].set_ylabel("犬と猫 −1 × 2")
        figure.savefig(io.BytesIO(), format="svg")
    assert [str(one.message) for one in recwarn if "lyph" in str(one.message)] == []
    assert [one.message for one in caplog.records if one.name.startswith("matplotlib")] == []


@needs_browser
@pytest.mark.parametrize("character", "直誤骨")
def test_kanji_have_their_japanese_shapes(character: str, tmp_path: Path):
    """They have other shapes in Chinese fonts, which a browser could take."""
    sheet = (Path(rendering.TEMPLATE) / "style.css").read_text("utf-8")
    style = f"<style>{sheet} p {{ font: 200px/1 var(--sans); margin: 0; }}</style>"
    page = f"<html><head>{style}</head><body><p>{character}</p></body></html>"
    path = tmp_path / "kanji.html"
    path.write_text(language.catalogue("ja").page(page), encoding="utf-8")
    run(path, DESKTOP, f"--screenshot={tmp_path / 'shown.png'}")
    expected = Image.new("L", (300, 300), 255)
    font = ImageFont.truetype(fonts.japanese(), 200)
    ImageDraw.Draw(expected).text((20, 20), character, 0, font)
    inked = [
        one.point(lambda value: 255 * (value < 128))
        for one in (Image.open(tmp_path / "shown.png").convert("L"), expected)
    ]
    shown, drawn = (one.crop(one.getbbox()).resize((64, 64)) for one in inked)
    difference = ImageStat.Stat(ImageChops.difference(shown, drawn)).mean[0]
    assert difference < 12
