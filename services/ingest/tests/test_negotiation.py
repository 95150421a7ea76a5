"""What ingest accepts in an association, and what it prefers."""

from pydicom._uid_dict import UID_dictionary
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]

from services.ingest.negotiation import LOSSLESS, PREFERENCE, supported_contexts

OTHER_FORMS = {"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.20"}
"""Retired: MIME, XML and Papyrus 3."""
BY_REFERENCE = {f"1.2.840.10008.1.2.4.{last}" for last in (94, 95, 204, 205)}
IN_REAL_TIME = {f"1.2.840.10008.1.2.7.{last}" for last in (1, 2, 3)}


def test_every_syntax_of_the_standard_is_accepted_for_ct_the_lossless_first() -> None:
    (ct,) = (each for each in supported_contexts() if each.abstract_syntax == CTImageStorage)
    listed = {uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
    assert {
        str(syntax) for syntax in ct.transfer_syntax
    } == listed - OTHER_FORMS - BY_REFERENCE - IN_REAL_TIME
    assert tuple(ct.transfer_syntax[: len(LOSSLESS)]) == LOSSLESS
    assert "1.2.840.10008.1.2.4.55" in PREFERENCE


def test_none_is_offered_twice() -> None:
    assert len(set(PREFERENCE)) == len(PREFERENCE)
