import importlib
import re

import pandas as pd
import pytest
from convstudy.display.language import catalogue
from helpers import faults


def test_the_table_of_faults_is_that_of_the_tests():
    text = faults.DOCUMENT.read_text(encoding="utf-8")
    assert text == faults.renewed(), "run: (cd tests && python -m helpers.faults)"
    assert len(list(faults.faults())) > 20


@pytest.mark.parametrize("name", ["scaling", "performance", "evidence"])
def test_a_documents_tables_are_those_of_its_files(name):
    benchmark = importlib.import_module(name)
    text = benchmark.DOCUMENT.read_text(encoding="utf-8")
    assert text == benchmark.rendered(), f"renew it: python benchmarks/{name}.py (render)"
    assert text.count("\n| --- |") >= 2


def test_the_readmes_results_are_those_of_the_recorded_runs(root):
    benchmark = importlib.import_module("evidence")
    text = benchmark.README.read_text(encoding="utf-8")
    assert text == benchmark.readme(), "renew it: python benchmarks/evidence.py"
    for name in ("evidence", "evidence-gpu", "evidence-gpu-float32"):
        summary = pd.read_csv(root / f"results/reference/{name}/training/summary.csv")
        best = summary.groupby("kind")["test_accuracy_best"].mean()
        assert all(f"{100 * accuracy:.1f} %" in text for accuracy in best)
    answer = "one Conv2D and two depthwise layers per stage were enough"
    assert answer in text
    assert answer in (root / "tests/golden/report.txt").read_text(encoding="utf-8")


def test_the_japanese_readme_says_the_same(root):
    """Its table, its commands and, from its catalogue, its answer are those of README.md."""
    benchmark = importlib.import_module("evidence")
    english, japanese = (path.read_text(encoding="utf-8") for path in benchmark.READMES.values())
    assert japanese == benchmark.readme("ja"), "renew it: python benchmarks/evidence.py"
    figures = re.compile(r"\d+\.\d+|\d+(?:,\d{3})+|\d{4}-\d\d-\d\d")
    [results, own] = (
        sorted(figures.findall("".join(re.findall(r"^\|.*", text.partition("## Run it")[0], re.M))))
        for text in (english, japanese)
    )
    assert len(results) > 20
    assert own == results
    [commands, own] = (re.findall(r"^make \w+", text, re.MULTILINE) for text in (english, japanese))
    assert own == commands
    for path in re.findall(r"CONFIG=(\S+)", japanese):
        assert (root / path).is_file()
    assert "(README.ja.md)" in english
    assert "(README.md)" in japanese
    title = "Which convolution layer is worth its parameters?"
    lead = "In this small run, one Conv2D and two depthwise layers per stage were enough."
    for words in (title, lead):
        assert catalogue("ja").text(words) in japanese.replace("\n", "")


def short_rows(processor, date, rate):
    about = {"date": date, "processor": processor, "flags": "AVX2", "cores": 2}
    about["versions"] = "torch 2"
    which = {"kind": "conv", "width": 0.25, "precision": "float32", "batch": 128}
    return pd.DataFrame(
        {**about, **which, "engine": engine, "repeat": repeat, "value": value + repeat}
        for engine, value in (("project", rate), ("PyTorch", 40.0), ("torch.compile", 50.0))
        for repeat in range(3)
    ).assign(unit="images/s")


def test_the_short_benchmark_replaces_rows_of_one_processor(monkeypatch, tmp_path):
    benchmark = importlib.import_module("performance")
    monkeypatch.setattr(benchmark, "FOLDER", tmp_path)
    nothing = benchmark.read_short()
    assert nothing.empty
    assert benchmark.short_sections(nothing) == "No processor has been measured yet."
    one, other = short_rows("one", "2026-01-01", 100.0), short_rows("other", "2026-01-02", 101.0)
    both = benchmark.renewed(benchmark.renewed(nothing, one), other)
    pd.testing.assert_frame_equal(both, pd.concat([one, other], ignore_index=True))
    again = benchmark.renewed(both, short_rows("one", "2026-01-03", 102.0))
    assert sorted(again["date"].unique()) == ["2026-01-02", "2026-01-03"]
    again.to_csv(tmp_path / "short.csv", index=False)
    sections = benchmark.short_sections(benchmark.read_short()).split("### ")[1:]
    assert [section.partition("\n")[0] for section in sections] == ["one", "other"]
    assert "2026-01-03, 2 cores, torch 2" in sections[0]
    row = "| 0.25 | conv | float32 | 103 (102 to 104) | 41 (40 to 42) | 51 (50 to 52) | 2.02 |"
    assert row in sections[0]


def test_every_link_to_a_file_leads_to_one(root):
    documents = [*root.glob("*.md"), *root.glob("config/*.md"), *root.glob("docs/*.md")]
    links = {
        (str(path.relative_to(root)), link)
        for path in documents
        for link in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
        if "://" not in link
    }
    assert len(links) > 20
    assert {one for one in links if not (root / one[0]).parent.joinpath(one[1]).exists()} == set()
