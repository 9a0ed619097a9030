import importlib.util

import fault_table


def test_the_table_of_faults_is_that_of_the_tests():
    text = fault_table.DOCUMENT.read_text(encoding="utf-8")
    assert text == fault_table.renewed(), "run: python tests/fault_table.py"
    assert len(list(fault_table.faults())) > 20


def test_the_tables_of_scaling_are_those_of_their_files(root):
    place = root / "benchmarks/scaling.py"
    spec = importlib.util.spec_from_file_location("scaling", place)
    scaling = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scaling)
    text = scaling.DOCUMENT.read_text(encoding="utf-8")
    assert text == scaling.rendered(), "run: python benchmarks/scaling.py render"
    assert text.count("| the article's study |") == 3
