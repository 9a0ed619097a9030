import fault_table


def test_the_table_of_faults_is_that_of_the_tests():
    text = fault_table.DOCUMENT.read_text(encoding="utf-8")
    assert text == fault_table.renewed(), "run: python tests/fault_table.py"
    assert len(list(fault_table.faults())) > 20
