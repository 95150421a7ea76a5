"""A destination that is there is told from one that is not."""

import pytest

from clarion.destinations import why_not_there
from clarion.tests.receiver import Receiver, listening
from deploy.embedded.ports import free_ports
from services.results.settings import Destination


def test_each_destination_is_asked() -> None:
    [nobody] = free_ports(1)
    with listening(Receiver()) as pacs:
        asked = {
            "pacs": _destination(pacs.port),
            "misspelt": _destination(pacs.port, "PASC"),
            "down": _destination(nobody),
        }
        found = dict(why_not_there(asked))
    assert found == {
        "pacs": None,
        "misspelt": "rejected, called ae title not recognised (1/1/7)",
        "down": "nothing answers there",
    }


@pytest.mark.parametrize(("status", "why_not"), [(0x0000, None), (0x0122, "C-ECHO: status 0122")])
def test_what_it_says_to_the_echo_counts(status: int, why_not: str | None) -> None:
    with listening(Receiver(echo=status)) as pacs:
        assert dict(why_not_there({"pacs": _destination(pacs.port)})) == {"pacs": why_not}


def _destination(port: int, ae_title: str = "PACS") -> Destination:
    return Destination(ae_title=ae_title, host="127.0.0.1", port=port)
