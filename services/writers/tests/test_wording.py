"""Numbers and codes, as a page says them."""

from datetime import datetime

import pytest

from services.writers import wording


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0 %"),
        (0.01, "< 0.1 %"),
        (12.34, "12.3 %"),
        (99.99, "> 99.9 %"),
        (100.0, "100 %"),
        (None, "–"),
    ],
)
def test_a_percentage_is_never_0_or_100_for_what_is_not(value: float | None, shown: str) -> None:
    assert wording.percent(value) == wording.unbroken(shown)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (0.02, "< 0.1"), (12.34, "12.3"), (999.6, "1\u202f000"), (4512.3, "4\u202f512")],
)
def test_a_volume_keeps_its_thousands_apart(value: float, shown: str) -> None:
    assert wording.millilitres(value) == shown


def test_warnings_are_said_once_and_in_one_order_however_they_were_raised() -> None:
    said = wording.warnings_in_words(("prone", "contrast", "prone", "a-new-one"))

    assert said == [
        wording.WARNINGS["contrast"],
        wording.WARNINGS["prone"],
        "Warning “a-new-one”.",
    ]


def test_dates_and_times_are_read_from_dicom() -> None:
    assert (wording.date("20260131"), wording.time("130559.123")) == ("2026-01-31", "13:05")
    assert (wording.date(""), wording.time(None), wording.date("1/2/26")) == ("", "", "1/2/26")


def test_a_moment_says_its_time_zone() -> None:
    assert (
        wording.moment(datetime.fromisoformat("2026-01-15T12:00:00+05:30"))
        == "2026-01-15 12:00, UTC+05:30"
    )
