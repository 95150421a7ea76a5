"""Which cases show COVID-19: a table with the columns `case,covid`, as spreadsheets save it."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from training.evaluation.problem import BadInput

YES, NO = {"1", "yes", "true"}, {"0", "no", "false"}
DELIMITERS = ",;\t"
NEEDED = "the columns case,covid"


def read_table(path: Path) -> dict[str, bool]:
    """By case. Raises `BadInput` for a table that is missing, malformed or contradicts itself."""
    found: dict[str, bool] = {}
    for line, case, covid in _rows(path):
        if found.setdefault(case, covid) != covid:
            raise BadInput("labels-contradict", f"{path.name}, line {line}: {case} is both 1 and 0")
    return found


def _rows(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Line, case and covid of each row that is not empty."""
    text = _text(path)
    # Where a comma is decimal, spreadsheets put semicolons between.
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    table = csv.reader(StringIO(text), delimiter=delimiter, skipinitialspace=True)
    head = [name.strip() for name in next(table, [])]
    if not {"case", "covid"} <= set(head):
        raise BadInput("labels-malformed", f"{path.name} needs {NEEDED}, not {','.join(head)}")
    for row in filter(any, table):
        told = {name: word.strip() for name, word in zip(head, row, strict=False)}
        where = f"{path.name}, line {table.line_num}"
        yield table.line_num, _case(told, where), _yes_or_no(told.get("covid", ""), where)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput("labels-missing", f"{path} is needed, with {NEEDED}") from None
    except UnicodeDecodeError as error:
        raise BadInput("labels-malformed", f"{path.name}: {error}; save it as UTF-8") from None


def _case(told: dict[str, str], where: str) -> str:
    if not told.get("case"):
        raise BadInput("labels-malformed", f"{where}: no case")
    return told["case"]


def _yes_or_no(word: str, where: str) -> bool:
    if word.lower() not in YES | NO:
        raise BadInput("labels-malformed", f"{where}: covid is 1 or 0, not {word!r}")
    return word.lower() in YES
