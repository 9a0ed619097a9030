import errno
import logging
from types import SimpleNamespace

import pytest
from convstudy.core import signals
from convstudy.core.errors import UserError
from convstudy.provenance.job import job


def run(tmp_path, action):
    snakemake = SimpleNamespace(log=tmp_path / "logs" / "rule.log", rule="some_rule", output=[])
    try:
        with job(snakemake, stoppable=True):
            action()
    finally:
        signals.reset()
    return snakemake.log.read_text()


def test_messages_go_to_log_and_terminal(tmp_path, capsys):
    log = run(tmp_path, lambda: logging.getLogger("convstudy.x").info("epoch %d", 3))
    assert "INFO epoch 3" in log
    assert capsys.readouterr().err == "[some_rule] epoch 3\n"


def mistake():
    raise UserError("data.source: web is not known")


def refused():
    raise OSError(errno.ENOSPC, "No space left on device", "results/x.csv")


def stopped():
    signals.request_stop()
    signals.stop_if_asked("after step 3")


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (mistake, "data.source: web is not known\n"),
        (refused, "results/x.csv: No space left on device; no file was left half-written; check "),
        (stopped, "SIGTERM: stopped after step 3; the next run resumes from there\n"),
    ],
)
def test_what_a_user_can_change_is_one_line_and_status_1(tmp_path, capsys, action, words):
    with pytest.raises(SystemExit) as caught:
        run(tmp_path, action)
    assert caught.value.code == 1
    [line] = capsys.readouterr().err.splitlines(keepends=True)
    assert line.startswith(f"[some_rule] {words}")
    assert "Traceback" not in (tmp_path / "logs/rule.log").read_text()


def test_an_unknown_error_keeps_its_traceback(tmp_path):
    with pytest.raises(SystemExit):
        run(tmp_path, lambda: 1 / 0)
    assert "ZeroDivisionError" in (tmp_path / "logs/rule.log").read_text()


def test_the_storages_password_is_in_no_log(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CONVSTUDY_STORAGE", "postgresql://u:se%2Fcret@h/d")

    def fail():
        logging.getLogger("convstudy").info("at %s", "postgresql://u:se%2Fcret@h/d")
        raise RuntimeError("cannot log in with se/cret")

    with pytest.raises(SystemExit):
        run(tmp_path, fail)
    for said in (capsys.readouterr().err, (tmp_path / "logs/rule.log").read_text()):
        assert "cannot log in with ***" in said
        assert "at postgresql://u:***@h/d" in said
        assert "%2Fcret" not in said
