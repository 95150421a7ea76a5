"""Files out of an archive that nobody trusts, under names of our own."""

import tarfile
from pathlib import Path


def unpacked(archive: Path, ending: str, every: int, folder: Path) -> list[Path]:
    """Each `every`-th file with the ending, in the order of their names, as numbers in `folder`."""
    paths = []
    with tarfile.open(archive) as files:
        names = sorted(name for name in files.getnames() if name.endswith(ending))[::every]
        for number, name in enumerate(names):
            member = files.extractfile(name)
            if member is None:
                raise ValueError(f"{archive.name}: {name} is no plain file")
            path = folder / f"{number:04d}{ending}"
            path.write_bytes(member.read())
            paths.append(path)
    return paths
