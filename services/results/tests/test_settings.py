"""Settings that can't be read are told in one line, with what is wrong."""

import pytest
from pydantic import ValidationError

from services.results.settings import ResultsSettings


@pytest.mark.parametrize(
    ("told", "where"), [('{"pacs', "end of stream at character 7"), ("pacs: [", "at character 8")]
)
def test_destinations_that_are_cut_off_are_told_with_the_place(told: str, where: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ResultsSettings.model_validate({"destinations": told})

    [error] = refused.value.errors()
    assert error["loc"] == ("destinations",)
    assert "neither JSON nor YAML" in error["msg"]
    assert where in error["msg"]
    assert "\n" not in error["msg"]
