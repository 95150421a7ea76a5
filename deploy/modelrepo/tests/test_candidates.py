"""What a folder offers: the versions of a model, or the one that it is."""

from pathlib import Path

import pytest

from deploy.modelrepo.candidates import answering, candidates
from deploy.modelrepo.tests.models import OURS, put


@pytest.mark.parametrize("own", ["config.pbtxt", "card.md", None])
def test_a_version_is_taken_by_itself(tmp_path: Path, own: str | None) -> None:
    model = put(tmp_path / "lungs", b"weights", version="12")
    if own:
        (model / "12" / own).write_bytes((model / own).read_bytes())

    [(number, found)] = candidates(model / "12", OURS).items()

    assert (number, found.weights.name) == (12, "12")
    assert found.config.parent.name == ("12" if own == "config.pbtxt" else "lungs")
    assert found.card
    assert found.card.parent.name == ("12" if own == "card.md" else "lungs")


@pytest.mark.parametrize(
    ("policy", "number"),
    [
        ("", 3),
        ("version_policy { latest { num_versions: 1 } }", 3),
        ("version_policy { specific { versions: 2 } }", 2),
        ("version_policy { specific { versions: [ 1, 2 ] } }", 2),
        ("version_policy { specific { versions: 7 } }", 3),
    ],
)
def test_the_version_that_answers_is_the_highest_that_may(
    tmp_path: Path, policy: str, number: int
) -> None:
    for version in "123":
        model = put(tmp_path / "lungs", b"weights", version=version)
    with (model / "config.pbtxt").open("a") as file:
        file.write(policy)

    assert answering(model, candidates(model, OURS)) == number
