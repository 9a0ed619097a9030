"""The report, rendered from sample results and opened in a real browser."""

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from convstudy.analyses.article_study import tables
from convstudy.claims import ledger, verdicts
from convstudy.config import analyses
from convstudy.core.files import file_digest, write_csv
from convstudy.provenance.job_records import recorded
from convstudy.report import parts, rendering
from convstudy.report.report import Report
from convstudy.results import reference_runs as recorded_runs
from convstudy.results.run import Results
from helpers.paths import OVERLAY, ROOT
from helpers.results import write_analyses, write_sample

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
LISTED = ledger.load(ROOT / "config/claims.yaml")
TITLE = "A report & its title"


@dataclass
class Rendered:
    folder: Path
    path: Path
    text: str

    @property
    def page(self) -> BeautifulSoup:
        return BeautifulSoup(self.text, "html.parser")


def render(folder: Path, beyond: bool = False, **sample) -> Rendered:
    results = Results(write_sample(folder / "results", **sample))
    if beyond:
        write_analyses(results.folder)
    tables.write_tables(results, results.folder / "tables")
    runs = recorded_runs.tabulate(results, recorded_runs.runs(results.folder))
    write_csv(results.folder / "tables/runs.csv", runs)
    write_csv(results.folder / "claims.csv", verdicts.check(results, LISTED, OVERLAY))
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
    assert not page.select("script, iframe, object, embed, link[rel=stylesheet]")
    for element in page.select("[src], link[href]"):
        assert (element.get("src") or element.get("href")).startswith("data:"), element.name
    # Namespaces in embedded pictures are names, not addresses; style sheets load nothing.
    assert not re.search(r"@import|url\((?!['\"]?data:|%23)", real.text)
    assert len(real.text) < 5e6


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


def browse(page: str, folder: Path) -> tuple[dict, str]:
    """Open a page from a file, offline; return what it reports on itself, and the messages."""
    path = folder / "report.html"
    path.write_text(page.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    flags = [
        *("--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", "--disable-extensions"),
        *("--disable-features=NetworkTimeServiceQuerying", "--virtual-time-budget=10000"),
        *("--enable-logging=stderr", "--log-level=0", "--window-size=390,900"),
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'profile'}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Chromium's sandbox refuses to run as root.
        flags.append("--no-sandbox")
    run = subprocess.run(
        [str(BROWSER), *flags, "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = re.search(r'data-probe="([^"]*)"', run.stdout)
    assert found, run.stderr[-2000:]
    return json.loads(html.unescape(found[1])), run.stderr


PROBE = """
<script>
addEventListener("load", async () => {
  const images = [...document.images];
  const decoded = await Promise.allSettled(images.map((image) => image.decode()));
  document.body.dataset.probe = JSON.stringify({
    decoded: decoded.filter((one) => one.status === "fulfilled").length,
    widths: images.map((image) => image.naturalWidth),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    requested: performance.getEntriesByType("resource")
      .map((entry) => entry.name).filter((name) => !name.startsWith("data:")),
  });
});
</script>
"""
CONSOLE = ":CONSOLE"
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium on PATH to open the report in"
)


@needs_browser
@pytest.mark.parametrize("kind", ["real", "synthetic"])
def test_the_page_opens_in_a_browser_without_a_network(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
):
    found, messages = browse(request.getfixturevalue(kind).text, tmp_path)
    number = len(parts.drawings([]))
    assert found["decoded"] == number
    assert len(found["widths"]) == number
    assert min(found["widths"]) > 100
    # On a narrow screen only the boxes scroll sideways, never the page.
    assert found["overflow"] <= 0
    assert found["requested"] == []
    assert CONSOLE not in messages


@needs_browser
def test_a_page_that_asks_for_more_would_be_found_out(real: Rendered, tmp_path: Path):
    address = "http://elsewhere.invalid/picture.png"
    more = f"<img src='{address}'><p style='width: 2000px'>wide</p><script>oops()</script></main>"
    found, messages = browse(real.text.replace("</main>", more), tmp_path)
    assert found["requested"] == [address]
    assert found["decoded"] == len(found["widths"]) - 1
    assert found["overflow"] > 0
    assert CONSOLE in messages
