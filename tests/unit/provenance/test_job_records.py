import random
import re
from types import SimpleNamespace

import pytest
from convstudy.core import environment
from convstudy.core.errors import UserError
from convstudy.core.files import read_json, write_json
from convstudy.provenance import archive, job_records
from convstudy.provenance.job import job
from convstudy.provenance.job_records import DATA, RECORDS, recorded, verify

CODES = {"prepare": "c1", "train": "c2", "plot": "c3"}
CURVES = [f"results/curves/{kind}.json" for kind in ("conv", "depthwise")]


def ran(root, rule, inputs, outputs, wildcards=(), write=None, **params):
    """Run a job that writes its outputs, and record it."""
    snakemake = SimpleNamespace(
        rule=rule,
        wildcards=dict(wildcards),
        input=inputs,
        output=outputs,
        params={"code": CODES[rule], **params},
        threads=2,
    )
    with recorded(snakemake, root):
        for output in outputs:
            (root / output).parent.mkdir(parents=True, exist_ok=True)
            (root / output).write_text(write or f"{rule} made {output}")


@pytest.fixture
def project(tmp_path):
    """Return the folder of a run of four jobs."""
    (tmp_path / "style.css").write_text("a style")
    ran(tmp_path, "prepare", [], [DATA], write='{"digest": "of the data"}')
    for kind, curve in zip(("conv", "depthwise"), CURVES, strict=True):
        wildcards = {"kind": kind, "replicate": "0"}
        ran(tmp_path, "train", [DATA], [curve], wildcards, training={"seed": 3, "epochs": 2})
    ran(tmp_path, "plot", [*CURVES, "style.css"], ["results/plot.svg", "reports/report.html"])
    return tmp_path


def differences(root, codes=CODES):
    return verify(root, codes).differences


def test_a_record_says_what_read_what_wrote_what_and_where(project):
    record = read_json(project / RECORDS / "train/conv_0.json")
    assert record["rule"] == "train"
    assert record["wildcards"] == {"kind": "conv", "replicate": "0"}
    assert (record["code"], record["threads"]) == ("c2", 2)
    assert record["data_digest"] == "of the data"
    assert record["seeds"] == {"training.seed": 3}
    assert record["started"] <= record["ended"]
    assert record["versions"]["python"]
    assert record["hardware"] == environment.hardware()
    assert record.keys() >= {"commit", "dirty", "settings_digest"}
    [read], [wrote] = record["inputs"], record["outputs"]
    assert (read["path"], wrote["path"]) == (DATA, CURVES[0])
    assert wrote["bytes"] == len(f"train made {CURVES[0]}")
    assert re.fullmatch("[0-9a-f]{64}", wrote["sha256"])


def test_other_settings_have_another_digest(tmp_path):
    digests = set()
    for epochs in (1, 2, 2):
        ran(tmp_path, "train", [], ["results/curve.json"], training={"epochs": epochs})
        digests.add(read_json(tmp_path / RECORDS / "train.json")["settings_digest"])
    assert len(digests) == 2


def test_a_job_that_reads_no_images_has_no_digest_of_them(project):
    assert read_json(project / RECORDS / "plot.json")["data_digest"] is None


def test_what_was_just_made_is_as_recorded(project):
    found = verify(project, CODES)
    assert found.differences == []
    assert (found.jobs, found.files) == (4, 5)
    assert any(note.startswith("4 jobs ran at") for note in found.notes)


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        (CURVES[0], f"train mAde {CURVES[0]}", f"{CURVES[0]}: changed since train conv 0 wrote it"),
        ("results/plot.svg", None, "results/plot.svg: missing, although plot wrote it"),
        ("reports/notes.txt", "whose?", "reports/notes.txt: not in any job's record"),
        # The curve is also an input of the plot, but has not changed.
        (f"{RECORDS}/train/depthwise_0.json", None, f"{CURVES[1]}: not in any job's record"),
        ("style.css", "other", "results/plot.svg: plot read another style.css than there is now"),
        ("style.css", None, "results/plot.svg: plot read style.css, which is missing"),
    ],
)
def test_a_file_that_changed_or_is_gone_or_of_no_job_is_named_alone(project, file, content, line):
    if content is None:
        (project / file).unlink()
    else:
        (project / file).write_text(content)
    [found] = differences(project)
    assert found.startswith(line)
    assert f"snakemake --cores all --force {line.partition(':')[0]}" in found


def test_what_no_job_declares_needs_no_record(project):
    for name in (".state/a/curve.json", "logs/a.log", "benchmarks/a.tsv", "reference/a/run.json"):
        path = project / "results" / name
        path.parent.mkdir(parents=True)
        path.write_text("x")
    (project / "reports/.gitkeep").touch()
    assert differences(project) == []


def test_a_file_that_was_made_anew_differs_from_what_later_jobs_read(project):
    wildcards = {"kind": "conv", "replicate": "0"}
    ran(project, "train", [DATA], [CURVES[0]], wildcards, write="other epochs")
    [line] = differences(project)
    assert line.startswith("results/plot.svg: plot read another")
    assert CURVES[0] in line
    ran(project, "plot", [*CURVES, "style.css"], ["results/plot.svg", "reports/report.html"])
    assert differences(project) == []


def test_other_code_is_found_and_another_commit_is_none(project, monkeypatch):
    monkeypatch.setattr(environment, "commit", lambda: {"commit": "f" * 40, "dirty": True})
    found = verify(project, CODES)
    assert found.differences == []
    assert found.notes[-1] == ("the code here is at commit ffffffffffff with uncommitted changes")
    lines = differences(project, {**CODES, "train": "c4"})
    assert len(lines) == 2
    assert all("ran with code c2, but the workflow now has c4" in line for line in lines)


def test_sources_without_a_commit_are_compared(project, monkeypatch):
    sources = {"commit": None, "dirty": None, "sources": "a" * 12}
    monkeypatch.setattr(environment, "commit", lambda: sources)
    ran(project, "plot", [*CURVES, "style.css"], ["results/plot.svg", "reports/report.html"])
    assert "1 job ran at no commit; sources aaaaaaaaaaaa" in verify(project, CODES).notes
    monkeypatch.setattr(environment, "commit", lambda: {**sources, "sources": "b" * 12})
    notes = verify(project, CODES).notes
    assert "1 job ran at no commit; sources aaaaaaaaaaaa, not the code here" in notes
    assert notes[-1] == "the code here is at no commit; sources bbbbbbbbbbbb"


@pytest.mark.fault(
    "A folder of results is a link to another disk, or a link leads back to its own folder",
    where="results, results/curves and results/provenance",
    lost="nothing: their files are checked and archived like all others",
)
def test_links_to_folders_are_read_like_folders(project, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    (project / "results/new.csv").write_text("of no job")
    expected, listed = verify(project, CODES), job_records.result_files(project)
    assert CURVES[0] in listed
    for name in ("results/curves", RECORDS, "results"):
        target = (project / name).rename(disk / name.replace("/", "-"))
        (project / name).symlink_to(target)
    (project / "results/curves/back").symlink_to(project / "results")
    assert job_records.result_files(project) == listed
    assert verify(project, CODES) == expected
    assert set(listed) < set(archive.packed_files(project))
    assert f"{RECORDS}/train/conv_0.json" in archive.packed_files(project)


def test_a_record_of_a_rule_that_is_no_more_is_found(project):
    lines = differences(project, {key: CODES[key] for key in ("prepare", "train")})
    assert lines == [
        "results/provenance/plot.json: the workflow has no rule plot; delete it and its outputs"
    ]


def test_a_changed_record_is_found(project):
    path = project / RECORDS / "prepare.json"
    write_json(path, {**read_json(path), "code": "made up"})
    lines = differences(project)
    words = "results/provenance/prepare.json: the record is damaged"
    assert any(line.startswith(words) for line in lines)


def test_of_two_jobs_that_wrote_a_file_the_later_one_counts(tmp_path, monkeypatch):
    # Two rules in turn; the later one comes first by name.
    monkeypatch.setattr(environment, "now", lambda: "2026-01-01T00:00:00+00:00")
    ran(tmp_path, "train", [], ["results/a.csv"])
    monkeypatch.setattr(environment, "now", lambda: "2026-01-02T00:00:00+00:00")
    ran(tmp_path, "plot", [], ["results/a.csv"])
    assert differences(tmp_path) == []


def test_the_order_of_jobs_and_files_does_not_matter(project):
    (project / CURVES[0]).write_text("changed")
    (project / "results/plot.svg").unlink()
    expected = verify(project, CODES)
    paths = list((project / RECORDS).rglob("*.json"))
    contents = {path: path.read_bytes() for path in paths}
    for seed in range(5):
        random.Random(seed).shuffle(paths)
        for path in paths:
            path.unlink()
        for path in paths:
            path.write_bytes(contents[path])
        assert verify(project, CODES) == expected


def test_a_job_that_dies_leaves_no_record_of_its_outputs(project, monkeypatch):
    monkeypatch.chdir(project)
    record = project / RECORDS / "plot.json"
    assert record.exists()
    snakemake = SimpleNamespace(
        rule="plot", wildcards={}, output=["results/plot.svg"], log=project / "results/logs/x.log"
    )
    there = []

    def die():
        with job(snakemake):
            there.append(record.exists())
            raise UserError("no space left")

    with pytest.raises(SystemExit):
        die()
    assert there == [False]
    assert not record.exists()
    assert "results/plot.svg: not in any job's record" in differences(project)[1]


def test_a_job_that_lacks_an_output_is_not_recorded(tmp_path):
    snakemake = SimpleNamespace(
        rule="plot", wildcards={}, params={}, threads=1, input=[], output=["results/none.svg"]
    )
    with pytest.raises(FileNotFoundError), recorded(snakemake, tmp_path):
        pass
    assert not list(tmp_path.rglob("*.json"))


def test_a_file_stands_on_all_jobs_before_it(project):
    made_by = job_records.producers(job_records.read_records(project / RECORDS)[0])
    behind = {job_records.job_name(one) for one in job_records.lineage("results/plot.svg", made_by)}
    assert behind == {"plot", "train conv 0", "train depthwise 0", "prepare"}
    assert len(job_records.lineage(CURVES[0], made_by)) == 2


def test_nothing_recorded_is_no_success(tmp_path):
    with pytest.raises(UserError, match="no records yet"):
        job_records.require_as_recorded(tmp_path, CODES)
