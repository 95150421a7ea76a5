"""Who offers models in a catalog, for tests."""

import hashlib
import shutil
from pathlib import Path

import httpx
import yaml

from deploy.modelrepo.tests.models import put


class Publisher:
    """Keeps a catalog in a folder, with versions of one model, `lungs`, packed as in a home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "catalog"
        self.folder.mkdir()
        self._made = folder / "made"

    def publish(self, version: str, weights: bytes) -> None:
        model = put(self._made / version / "lungs", weights)
        (model / "1" / "card.md").write_text("the card that the version had where it was packed")
        shutil.make_archive(str(self.folder / f"lungs-{version}"), "zip", model.parent)
        (self.folder / "card.md").write_text(f"# lungs {version}")
        file = f"lungs-{version}.zip"
        entry = {
            "name": "lungs",
            "version": version,
            "source": "a university",
            "licence": "CC-BY-4.0",
            "sha256": hashlib.sha256((self.folder / file).read_bytes()).hexdigest(),
            "card": "card.md",
            "file": file,
        }
        path = self.folder / "catalog.yaml"
        known = yaml.safe_load(path.read_text())["models"] if path.exists() else []
        kept = [each for each in known if each["version"] != version]
        path.write_text(yaml.safe_dump({"models": [*kept, entry]}))

    def rename(self, file: str, to: str) -> None:
        """Keep a file elsewhere below the catalog, which tells where."""
        (self.folder / to).parent.mkdir(exist_ok=True)
        (self.folder / file).rename(self.folder / to)
        path = self.folder / "catalog.yaml"
        path.write_text(path.read_text().replace(f": {file}\n", f": {to}\n"))

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The same over HTTP, below /models/."""
        path = self.folder / request.url.path.removeprefix("/models/")
        return (
            httpx.Response(200, content=path.read_bytes())
            if path.is_file()
            else httpx.Response(404)
        )
