"""Apache Kafka's jars: resolved by jgo into a committed lock, fetched from it, and verified.

jgo's own resolution walks every POM again on each machine. The lock keeps its answer (coordinates
and sha256), so that an installation is one parallel download of known files.
"""

import hashlib
import ssl
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import certifi
import httpx
import jgo
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL

from deploy.embedded.cache import InstallFailed, install_once, named_after

LOCK = Path(__file__).with_name("kafka-jars.lock")
# kafka-clients comes first so that its version, and those of its codecs, win the mediation; the
# SLF4J binding is what makes the broker log at all outside its own distribution.
ENDPOINT = (
    "org.apache.kafka:kafka-clients:4.1.1"
    "+org.apache.kafka:kafka_2.13:4.1.1"
    "+org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"
)
PARALLEL_DOWNLOADS = 16


@dataclass(frozen=True, order=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Where a Maven repository keeps it, relative to the repository's address."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version} {self.sha256}"


def locked_jars(lock: Path = LOCK) -> list[Jar]:
    """The jars that the lock names, in its order, which is the class path's."""
    jars = []
    for line in lock.read_text().splitlines():
        coordinates, sha256 = line.split()
        group, artifact, version = coordinates.split(":")
        jars.append(Jar(group, artifact, version, sha256))
    return jars


def installed_folder(cache: Path) -> Path:
    """The folder of the locked jars in this cache, whether it exists yet or not."""
    return cache / named_after("kafka", LOCK)


def install_jars(cache: Path, progress: Callable[[str], None]) -> Path:
    """Download every locked jar that the cache lacks, verified; returns their folder."""
    jars = locked_jars()

    def build(scratch: Path) -> None:
        progress(f"downloading {len(jars)} jars of Apache Kafka")
        with (
            httpx.Client(timeout=60, follow_redirects=True, verify=_trusted()) as client,
            ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool,
        ):
            for done in [pool.submit(_download, client, jar, scratch) for jar in jars]:
                done.result()

    folder = installed_folder(cache)
    built = install_once(folder, build)
    progress(f"Apache Kafka {'installed' if built else 'is there'}: {folder}")
    return folder


def _trusted() -> ssl.SSLContext:
    """What this system trusts, as pip does, and what httpx brings: a proxy may inspect TLS."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def verify_jars(folder: Path) -> None:
    """Raise InstallFailed for the first jar of `folder` that is missing or altered."""
    for jar in locked_jars():
        path = folder / jar.file_name
        _require(jar, path.read_bytes() if path.is_file() else b"")


def write_lock(lock: Path = LOCK) -> int:
    """Resolve `ENDPOINT` anew with jgo and write what it found; returns the number of jars."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = jgo.build(ENDPOINT, update=True, cache_dir=Path(scratch))
        locked = environment.lockfile
        if locked is None:
            raise InstallFailed(f"jgo made no lock for {ENDPOINT}")
        jars = sorted(
            Jar(each.groupId, each.artifactId, each.version, each.sha256 or "")
            for each in locked.dependencies
        )
    lock.write_text("".join(f"{jar}\n" for jar in jars))
    return len(jars)


def _download(client: httpx.Client, jar: Jar, folder: Path) -> None:
    content = _fetch(client, jar)
    _require(jar, content)
    (folder / jar.file_name).write_bytes(content)


def _fetch(client: httpx.Client, jar: Jar) -> bytes:
    """From the mirrors that jgo's settings name, else Maven Central."""
    mirrors = dict(GlobalSettings.load().repositories)
    failures = []
    for repository in [*mirrors.values(), MAVEN_CENTRAL_URL]:
        try:
            return client.get(f"{repository}/{jar.path}").raise_for_status().content
        except httpx.HTTPError as error:
            failures.append(f"{type(error).__name__}: {error}")
    raise InstallFailed(f"{jar.file_name} could not be downloaded: {'; '.join(failures)}")


def _require(jar: Jar, content: bytes) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != jar.sha256:
        raise InstallFailed(f"{jar.file_name}: sha256 is {found}, the lock says {jar.sha256}")
