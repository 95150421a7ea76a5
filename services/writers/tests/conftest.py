"""One phantom for all: drawing it takes longer than most tests."""

import pytest

from services.writers.tests.studies import Study, phantom_study


@pytest.fixture(scope="session")
def study() -> Study:
    return phantom_study()
