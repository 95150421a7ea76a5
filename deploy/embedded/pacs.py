"""`python -m deploy.embedded.pacs`: a receiving PACS for one machine.

A C-STORE SCP (PS3.4 annex B) that files each instance as
`<StudyInstanceUID>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm` before it says Success. An identical
resend is Success and kept once; other content under a UID that is filed is refused, and the first
is kept.
"""

import logging
import os
import re
import signal
import threading
import uuid
from io import BytesIO
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

SUCCESS = 0x0000
DUPLICATE_INSTANCE = 0x0111  # PS3.7 annex C.5.7: Duplicate SOP Instance
OUT_OF_RESOURCES = 0xA700  # PS3.4 table B.2-1
CANNOT_UNDERSTAND = 0xC000

_UID = re.compile(r"[0-9][0-9.]{0,63}")
_log = logging.getLogger("pacs")


class PacsSettings(BaseSettings):
    """CLARION_PACS_…"""

    model_config = SettingsConfigDict(env_prefix="CLARION_PACS_", frozen=True)

    folder: Path
    port: int = 11113
    host: str = "127.0.0.1"
    ae_title: str = "PACS"


def receive(event: Event, folder: Path) -> int:
    """File one instance; returns the C-STORE status. Logs no identifier."""
    content = event.encoded_dataset()
    try:
        path = _filed_as(content, folder)
    except (InvalidDicomError, ValueError, KeyError, AttributeError) as error:
        _log.warning("an instance could not be understood: %s", type(error).__name__)
        return CANNOT_UNDERSTAND
    try:
        return file_once(path, content)
    except OSError as error:
        _log.error("an instance could not be filed: %s", os.strerror(error.errno or 0))
        return OUT_OF_RESOURCES


def file_once(path: Path, content: bytes) -> int:
    """Write, sync, link, sync the folder: what is acknowledged is on the disk, and whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.parent / f".{uuid.uuid4().hex}"
    try:
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(scratch)
    except FileExistsError:
        if path.read_bytes() == content:
            _log.info("an instance came again, the same")
            return SUCCESS
        _log.warning("an instance came again with other content; the first is kept")
        return DUPLICATE_INSTANCE
    finally:
        scratch.unlink(missing_ok=True)
    _sync_folders(path.parent)
    return SUCCESS


def build_ae(ae_title: str) -> AE:
    """Accepts every storage SOP class in every transfer syntax, and C-ECHO, from anyone."""
    ae = AE(ae_title=ae_title)
    ae.maximum_pdu_size = 0
    syntaxes = list(AllTransferSyntaxes)
    for context in AllStoragePresentationContexts:
        if context.abstract_syntax:
            ae.add_supported_context(context.abstract_syntax, syntaxes)
    verification = build_context(Verification)
    ae.add_supported_context(Verification, verification.transfer_syntax)
    return ae


def start(ae: AE, host: str, port: int, folder: Path) -> ThreadedAssociationServer:
    """Listen in threads of its own; OSError when the port is taken."""
    server = ae.start_server(
        (host, port), block=False, evt_handlers=[(evt.EVT_C_STORE, receive, [folder])]
    )
    assert server is not None  # noqa: S101  it is None only when it blocks
    return server


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = PacsSettings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = start(build_ae(settings.ae_title), settings.host, settings.port, settings.folder)
    _log.info("%s listens on port %d", settings.ae_title, settings.port)
    stop.wait()
    server.shutdown()


def _filed_as(content: bytes, folder: Path) -> Path:
    """Where an instance is filed; ValueError when a UID of it is none, and so no file name."""
    wanted = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    header = dcmread(BytesIO(content), stop_before_pixels=True, specific_tags=[*wanted])
    uids = [str(header[name].value) for name in wanted]
    if not all(_UID.fullmatch(uid) for uid in uids):
        raise ValueError("a UID has characters that PS3.5 section 9.1 does not allow")
    return folder.joinpath(*uids[:2], f"{uids[2]}.dcm")


def _sync_folders(series: Path) -> None:
    """The names of the file, of its series and of its study, which may all be new."""
    for folder in (series, series.parent, series.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


if __name__ == "__main__":
    main()
