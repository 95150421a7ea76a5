"""Which cases show COVID-19, read as spreadsheets save it, or refused with where it is wrong."""

from pathlib import Path

import pytest

from training.evaluation.covid_table import read_table
from training.evaluation.problem import BadInput


@pytest.mark.parametrize(
    "saved_as",
    [
        "\ufeffcase,covid\r\na,1\r\nb,0\r\n",
        "case;covid;note, free\nb;no;\na;yes;none\n;;\n",
        "covid\tcase\n1\ta\n0\tb\n0\tb\n",
        'case, covid\n"a", TRUE\n\nb, FALSE\n',
    ],
)
def test_a_table_is_read_as_spreadsheets_save_it(tmp_path: Path, saved_as: str) -> None:
    (tmp_path / "labels.csv").write_bytes(saved_as.encode())
    assert read_table(tmp_path / "labels.csv") == {"a": True, "b": False}


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b"name,covid\na,1\n", "labels-malformed", "not name,covid"),
        (b"", "labels-malformed", "needs the columns case,covid"),
        (b"case,covid\nM\xfcller,1\n", "labels-malformed", "save it as UTF-8"),
        (b"covid,case\n1,a\n1\n", "labels-malformed", "line 3: no case"),
        (b"case,covid\na,1\nb\n", "labels-malformed", "line 3: covid is 1 or 0"),
        (b"case,covid\na,1\nb,1\na,0\n", "labels-contradict", "line 4: a is both"),
    ],
)
def test_a_table_that_can_t_be_read_is_refused(
    tmp_path: Path, content: bytes, code: str, told: str
) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(BadInput, match=told) as refused:
        read_table(tmp_path / "labels.csv")
    assert refused.value.code == code
