import importlib

import fault_table
import pytest


def test_the_table_of_faults_is_that_of_the_tests():
    text = fault_table.DOCUMENT.read_text(encoding="utf-8")
    assert text == fault_table.renewed(), "run: python tests/fault_table.py"
    assert len(list(fault_table.faults())) > 20


@pytest.mark.parametrize("name", ["scaling", "performance", "evidence"])
def test_a_documents_tables_are_those_of_its_files(root, monkeypatch, name):
    monkeypatch.syspath_prepend(root / "benchmarks")
    benchmark = importlib.import_module(name)
    text = benchmark.DOCUMENT.read_text(encoding="utf-8")
    assert text == benchmark.rendered(), f"renew it: python benchmarks/{name}.py (render)"
    assert text.count("\n| --- |") >= 2
