"""A catalog: models that somebody offers, each with its digest, in a folder or at an address.

models:
  - name: lung_seg
    version: "2.1"
    source: Radiology, University Hospital of Somewhere
    licence: CC-BY-4.0
    sha256: 9f2c…            # of the file
    card: lung_seg-2.1.md    # relative to the catalog
    file: lung_seg-2.1.zip   # a Triton model or a MONAI bundle
"""

import shutil
import ssl
from pathlib import Path
from typing import Annotated

import httpx
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.modelrepo.origin import Source
from deploy.modelrepo.refused import Refused
from deploy.modelrepo.repository import Repository
from shared.inference.weights import file_digest

FILE = "catalog.yaml"
_ASK_S = 60.0
Text = Annotated[str, Field(min_length=1)]


class Entry(BaseModel):
    """One version of one model, in the publisher's words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    version: Text
    source: Text
    licence: Text
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    card: Text
    file: Text

    @property
    def origin(self) -> Source:
        return Source(
            source=self.source, licence=self.licence, version=self.version, archive=self.sha256
        )


class Catalog(BaseModel):
    """What a catalog's file says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[Entry, ...]


class Shelf:
    """A catalog and the files beside it: in a folder, or below an HTTP(S) address."""

    def __init__(self, location: str, client: httpx.Client) -> None:
        self.location = location
        self._client = client
        self._catalog_file = _catalog_file(location)

    def read(self, scratch: Path) -> Catalog:
        """Raises `Refused` for a catalog that can't be had or is none."""
        copy = scratch / FILE
        self._copy(self._catalog_file, copy)
        try:
            return Catalog.model_validate(yaml.safe_load(copy.read_bytes()))
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            said = "; ".join(faults)
        except (yaml.YAMLError, RecursionError) as error:
            said = f"not YAML: {error}"
        raise Refused("bad-catalog", f"{self._catalog_file}: {said}")

    def fetch(self, entry: Entry, into: Path) -> tuple[Path, Path]:
        """The entry's file, its digest checked, and its card. Raises `Refused`."""
        file = self._fetched(entry.file, into / "file")
        found = file_digest(file)
        if found != entry.sha256:
            raise Refused(
                "digest-mismatch",
                f"{entry.file} has the sha256 {found}, the catalog tells {entry.sha256}. "
                "Nothing was added: ask who keeps the catalog",
            )
        return file, self._fetched(entry.card, into / "card")

    def _fetched(self, relative: str, into: Path) -> Path:
        into.mkdir(exist_ok=True)
        path = into / Path(relative).name
        self._copy(_beside(self._catalog_file, relative), path)
        return path

    def _copy(self, place: str, path: Path) -> None:
        try:
            if not _is_address(place):
                shutil.copyfile(place, path)
                return
            with path.open("wb") as file, self._client.stream("GET", place) as answer:
                for chunk in answer.raise_for_status().iter_bytes():
                    file.write(chunk)
        except (OSError, httpx.HTTPError) as error:
            raise Refused("catalog-unreachable", f"{place}: {error}") from None


def client() -> httpx.Client:
    """Trusts what the system trusts."""
    return httpx.Client(timeout=_ASK_S, follow_redirects=True, verify=ssl.create_default_context())


def chosen(catalog: Catalog, wanted: str) -> Entry:
    """The entry of NAME@VERSION, or of NAME the last one listed. Raises `Refused`."""
    name, _, version = wanted.partition("@")
    found = [e for e in catalog.models if e.name == name and version in ("", e.version)]
    if not found:
        offered = ", ".join(f"{each.name}@{each.version}" for each in catalog.models) or "nothing"
        raise Refused("not-in-catalog", f"the catalog has no {wanted}; it offers: {offered}")
    return found[-1]


def require_same(repository: Repository, name: str, entry: Entry) -> None:
    """Refuse a file that changed although its publisher calls it by the same version."""
    if name not in repository.names():
        return
    for number in repository.versions(name):
        known = repository.origin(name, number)
        is_same = (known.source, known.version) == (entry.source, entry.version)
        if is_same and known.archive != entry.sha256:
            raise Refused(
                "version-redefined",
                f"{name} {entry.version} of this source is here as version {number} with the "
                f"sha256 {known.archive}, and the catalog now tells {entry.sha256}. A changed "
                "file needs a new version: ask who keeps the catalog",
            )


def _catalog_file(location: str) -> str:
    if location.endswith((".yaml", ".yml")):
        return location
    if _is_address(location):
        return f"{location.rstrip('/')}/{FILE}"
    return str(Path(location) / FILE)


def _beside(catalog_file: str, relative: str) -> str:
    if _is_address(catalog_file):
        return str(httpx.URL(catalog_file).join(relative))
    return str(Path(catalog_file).parent / relative)


def _is_address(place: str) -> bool:
    return place.startswith(("http://", "https://"))
