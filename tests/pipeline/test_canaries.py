"""Whether a canary would be found, and stands where somebody can be identified."""

import hashlib

import pytest

from tests.pipeline.canaries import SEQUENCES, VALUES, found_in

BY_CODE_OR_NUMBER = ("PatientSex", "PatientSexNeutered", "SmokingStatus")
MEASURED = ("PatientSize", "PatientWeight")


def test_each_is_found_among_other_words() -> None:
    lost = {name: value for name, value in VALUES.items() if found_in([f"a {value}, b"]) != [value]}
    assert lost == {}


@pytest.mark.parametrize("keyword", [*BY_CODE_OR_NUMBER, *MEASURED])
def test_what_the_standard_lists_of_a_patient_has_one(keyword: str) -> None:
    assert found_in([VALUES[keyword]])


@pytest.mark.parametrize("keyword", MEASURED)
def test_a_decimal_is_found_that_was_told_as_a_number(keyword: str) -> None:
    assert found_in([f'{{"value": {float(VALUES[keyword])}}}'])


@pytest.mark.parametrize(
    "keyword", ["OperatorIdentificationSequence", "OriginalAttributesSequence"]
)
def test_sequences_hold_some(keyword: str) -> None:
    assert keyword in SEQUENCES


def test_digests_are_none() -> None:
    digests = (hashlib.sha256(str(number).encode()).hexdigest() for number in range(10_000))
    assert found_in(digests) == []
