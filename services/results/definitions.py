"""Pipeline definitions, read once from the payload store: each run keeps the one it began with."""

import json
from collections.abc import Mapping

import yaml
from pydantic import ValidationError

from services.results.passing import passing_over
from shared.events.models import PayloadRef
from shared.pipelines.definition import Definition, parse
from shared.store.port import PayloadMissing, PayloadStore

_KEPT = 64


class Definitions:
    """Definitions by their content's hash; they never change, and the newest few are kept."""

    def __init__(self, store: PayloadStore) -> None:
        self.store = store
        self._read: dict[str, Definition] = {}

    def get(self, ref: PayloadRef | None) -> Definition | None:
        """None when there is none to be had. Raises `Unavailable("store")`."""
        if ref is None:
            return None
        found = self._read.get(ref.sha256) or self._fetch(ref)
        if found:
            self._read[ref.sha256] = found
            while len(self._read) > _KEPT:
                self._read.pop(next(iter(self._read)), None)
        return found

    def of_open(self, references: Mapping[str, str]) -> dict[str, Definition]:
        """The definitions of open runs by their references as stored, each given with a job of it.

        Without those that are not to be had: one that can't be read keeps no other back.
        """
        found = {}
        for stored, job_id in references.items():
            with passing_over(job_id, self.store):
                reference = json.loads(stored)
                if definition := self.get(PayloadRef(**reference) if reference else None):
                    found[stored] = definition
        return found

    def _fetch(self, ref: PayloadRef) -> Definition | None:
        try:
            return parse(self.store.get(ref))
        except (PayloadMissing, ValidationError, yaml.YAMLError):
            return None
