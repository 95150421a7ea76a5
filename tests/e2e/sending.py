"""Ways to send: storescu as a scanner does, pynetdicom one status at a time, raw PDUs as nobody."""

import os
import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from struct import pack
from typing import Any

from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.uid import AllTransferSyntaxes, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, MaximumLengthNotification
from pynetdicom.pdu_primitives import ImplementationClassUIDNotification as ImplementationClass
from pynetdicom.presentation import PresentationContext, build_context

from shared.dicom.lost import KNOWN_AT_ONCE, until_resumed

HOST = "127.0.0.1"
CALLING = "MODALITY"
_ANSWER_S = 60.0
_FRAGMENT = 16_000
_COMMON = str(ExplicitVRLittleEndian)


def storescu(port: int, called: str, *paths: Path) -> None:
    """Files, and the files of folders, over one association. Raises when one is not taken."""
    command = ["storescu", "-aet", CALLING, "-aec", called, "+sd", HOST, str(port)]
    environment = {**os.environ, "TCP_NODELAY": "1"}  # else dcmtk waits for Nagle
    subprocess.run([*command, *paths], check=True, env=environment, timeout=300)


def statuses(port: int, called: str, datasets: Iterable[Dataset]) -> list[int]:
    """The status of each data set, sent in its own transfer syntax over one association."""
    every = list(datasets)
    association = associate(port, called, every)
    found = []
    for dataset in every:
        until_resumed(association)
        found.append(association.send_c_store(dataset).Status)
    association.release()
    return found


def associate(port: int, called: str, datasets: Sequence[Dataset]) -> Association:
    """An association that can carry these data sets. Raises `ConnectionError`."""
    wanted = {(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID) for ds in datasets}
    entity = AE(ae_title=CALLING)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _ANSWER_S
    contexts = [build_context(*pair) for pair in sorted(wanted)]
    association = entity.associate(
        HOST, port, contexts=contexts, ae_title=called, evt_handlers=KNOWN_AT_ONCE
    )
    if not association.is_established:
        raise ConnectionError(f"{called} at port {port} gives no association")
    opened: Any = association.dul.socket
    opened.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return association


def as_files(datasets: Iterable[Dataset]) -> Iterator[bytes]:
    """Each data set as the bytes of a Part 10 file."""
    for dataset in datasets:
        buffer = BytesIO()
        dcmwrite(buffer, dataset, enforce_file_format=True)
        yield buffer.getvalue()


def raw(port: int, called: str, dataset: bytes, syntax: str, sop_class: str, instance: str) -> int:
    """The status of any bytes at all, called an instance; -1 when the peer breaks off."""
    with socket.create_connection((HOST, port), timeout=_ANSWER_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(_association_request(called, sop_class, syntax))
        if _pdu(connection)[:1] != b"\x02":
            return -1
        connection.sendall(_p_data(_store_request(sop_class, instance), 0x03))
        starts = range(0, max(1, len(dataset)), _FRAGMENT)
        for start in starts:
            last = 0x02 if start == starts[-1] else 0x00
            connection.sendall(_p_data(dataset[start : start + _FRAGMENT], last))
        answer = _pdu(connection)
        connection.sendall(bytes([5, 0, 0, 0, 0, 4, 0, 0, 0, 0]))
        _pdu(connection)
    return _status(answer)


def _association_request(called: str, sop_class: str, syntax: str) -> bytes:
    wanted = A_ASSOCIATE()
    wanted.application_context_name = "1.2.840.10008.3.1.1.1"
    wanted.calling_ae_title, wanted.called_ae_title = CALLING, called
    length, implementation = MaximumLengthNotification(), ImplementationClass()
    length.maximum_length_received = 0
    implementation.implementation_class_uid = "1.2.3.4"
    wanted.user_information = [length, implementation]
    context = PresentationContext()
    context.context_id, context.abstract_syntax, context.transfer_syntax = 1, sop_class, [syntax]
    wanted.presentation_context_definition_list = [context]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(wanted)
    return pdu.encode()


def _store_request(sop_class: str, instance: str) -> bytes:
    """A C-STORE-RQ command set (PS3.7 9.3.1.1), in implicit VR little endian."""
    fields = [
        (0x0002, _padded(sop_class)),
        (0x0100, pack("<H", 0x0001)),
        (0x0110, pack("<H", 1)),
        (0x0700, pack("<H", 0)),
        (0x0800, pack("<H", 0x0001)),
        (0x1000, _padded(instance)),
    ]
    body = b"".join(pack("<HHI", 0, tag, len(value)) + value for tag, value in fields)
    return pack("<HHII", 0, 0, 4, len(body)) + body


def _padded(uid: str) -> bytes:
    return uid.encode(errors="replace") + b"\0" * (len(uid) % 2)


def _p_data(fragment: bytes, header: int) -> bytes:
    """A P-DATA-TF of one fragment (PS3.8 9.3.5); `header` is 1 for a command, 2 for the last."""
    value = pack(">IBB", len(fragment) + 2, 1, header) + fragment
    return pack(">BxI", 4, len(value)) + value


def _pdu(connection: socket.socket) -> bytes:
    """The next PDU, whole; nothing when the peer has gone."""
    try:
        head = _exactly(connection, 6)
        return head + _exactly(connection, int.from_bytes(head[2:6], "big"))
    except (ConnectionError, TimeoutError):
        return b""


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise ConnectionError("the peer closed the connection")
        data += more
    return data


def _status(pdu: bytes) -> int:
    """(0000,0900) of a C-STORE-RSP."""
    at = pdu.find(pack("<HHI", 0, 0x0900, 2))
    return int.from_bytes(pdu[at + 8 : at + 10], "little") if at >= 0 else -1


def dataset_bytes(path: Path) -> tuple[bytes, str]:
    """What follows the file meta information of a file, however broken, and its syntax."""
    content = path.read_bytes()
    if content[128:132] != b"DICM":
        return content, _COMMON
    try:
        file = BytesIO(content)
        meta = read_partial(file, stop_when=lambda *_: True).file_meta
        named = str(meta.get("TransferSyntaxUID"))
        return content[file.tell() :], named if named in AllTransferSyntaxes else _COMMON
    except Exception:  # whatever a hostile header makes pydicom raise
        return content[132:], _COMMON
