"""Stored values and Hounsfield units, in every transfer syntax that can be decoded."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import ExplicitVRBigEndian, JPEGLSLossless, RLELossless

from phantom.dicom import file_meta
from phantom.studies import slab
from services.reader.pixels import Array, element_type, voxels
from services.reader.planes import planes_of
from services.reader.tests.conftest import Read
from shared.errors import InputRejected
from shared.manifest import InstanceFiles
from shared.store.memory import MemoryStore
from shared.testing.manifests import manifest_of

SEED = 1
_NATIVE = "CTImage.dcm"
_LOSSLESS = ("1.2.2.dcm", "1.2.1.99.dcm", "4.90.dcm", "4.80.dcm", "4.70.dcm", "4.57.dcm", "2.5.dcm")
_LOSSY = {
    "4.91.dcm": 8,
    "4.81.dcm": 3,
    "4.50.dcm": 65,
    "4.51.dcm": 30,
    "4.53.dcm": 30,
    "4.55.dcm": 30,
}
"""How far from the original the peer's file may be, in HU, inside its own range of values."""


def _hounsfield(path: Path) -> Array:
    store = MemoryStore()
    manifest, _ = manifest_of([path], store)
    files = InstanceFiles(manifest, store)
    planes = planes_of(manifest, files)
    return next(voxels(planes, files, element_type(planes)))


def _one(folder: Path, ending: str) -> Path:
    return next(folder.glob(f"CTImage.dcm_*{ending}"))


@pytest.mark.parametrize("ending", _LOSSLESS)
def test_lossless_syntaxes_give_the_same_voxels(ending: str, data: Path) -> None:
    folder = data / "odd/compressed"
    assert np.array_equal(_hounsfield(_one(folder, ending)), _hounsfield(folder / _NATIVE))


@pytest.mark.parametrize("ending", _LOSSY)
def test_lossy_syntaxes_give_nearly_the_same_voxels(ending: str, data: Path) -> None:
    folder = data / "odd/compressed"
    lossy, original = _hounsfield(_one(folder, ending)), _hounsfield(folder / _NATIVE)
    assert np.abs(lossy.astype(float) - original).mean() < _LOSSY[ending]


def test_frames_of_a_fragmented_jpeg_without_offsets_are_decoded(data: Path) -> None:
    [path] = (data / "odd/compressed").glob("CT0012*51.dcm")
    store = MemoryStore()
    manifest, _ = manifest_of([path], store)
    files = InstanceFiles(manifest, store)
    planes = planes_of(manifest, files)
    frames = list(voxels(planes, files, np.dtype("<i2")))
    assert [frame.shape for frame in frames] == [(512, 512), (512, 512)]
    assert not np.array_equal(frames[0], frames[1])


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_a_compressed_series_is_read_as_the_native_one(syntax: str, read: Read) -> None:
    compressed = slab(SEED)
    for dataset in compressed:
        dataset.compress(syntax, generate_instance_uid=False)
    assert read(compressed).digest == read(slab(SEED)).digest


def test_big_endian_pixels_are_turned(read: Read) -> None:
    turned = slab(SEED)
    for dataset in turned:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
        dataset.file_meta = file_meta(dataset, ExplicitVRBigEndian)
        dataset._read_implicit = dataset._read_little = None
    assert read(turned).digest == read(slab(SEED)).digest


def test_bits_beyond_those_stored_are_no_part_of_the_value(read: Read) -> None:
    overlaid = slab(SEED)
    for dataset in overlaid:
        stored = np.frombuffer(dataset.PixelData, "<u2").copy()
        stored[::7] |= 0xF000
        dataset.PixelData = stored.tobytes()
    assert overlaid[0].BitsStored == 12
    assert read(overlaid).digest == read(slab(SEED)).digest


def test_signed_twelve_bit_values_are_sign_extended(read: Read) -> None:
    signed = slab(SEED)
    for dataset in signed:
        stored = np.frombuffer(dataset.PixelData, "<u2").astype(np.int32) - 2048
        dataset.PixelData = (stored & 0x0FFF).astype("<u2").tobytes()
        dataset.PixelRepresentation = 1
        dataset.RescaleIntercept = float(dataset.RescaleIntercept) + 2048
    assert read(signed).digest == read(slab(SEED)).digest


def test_each_slice_has_its_own_rescale(read: Read) -> None:
    shifted = slab(SEED)
    stored = np.frombuffer(shifted[3].PixelData, "<u2")
    shifted[3].PixelData = (stored + 100).astype("<u2").tobytes()
    shifted[3].RescaleIntercept = float(shifted[3].RescaleIntercept) - 100
    shifted[3].BitsStored, shifted[3].HighBit = 16, 15
    assert read(shifted).digest == read(slab(SEED)).digest


def test_a_fractional_slope_gives_float_voxels(read: Read) -> None:
    scaled = slab(SEED)
    for dataset in scaled:
        dataset.RescaleSlope = "0.5"
    volume = read(scaled).volume
    lowest = scaled[-1]
    stored = np.frombuffer(lowest.PixelData, "<u2").reshape(lowest.Rows, lowest.Columns)
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array[0], stored * 0.5 + float(lowest.RescaleIntercept))


def test_values_beyond_sixteen_bits_are_not_wrapped(read: Read) -> None:
    bright = slab(SEED)
    stored = np.frombuffer(bright[5].PixelData, "<u2").copy()
    stored[0] = 65535
    bright[5].PixelData, bright[5].BitsStored, bright[5].HighBit = stored.tobytes(), 16, 15
    volume = read(bright).volume
    assert volume.array.dtype == np.float32
    assert volume.array.max() == 65535 + float(bright[5].RescaleIntercept)


def test_pixels_that_no_decoder_understands_are_a_corrupt_instance(read: Read) -> None:
    broken = slab(SEED)
    for dataset in broken:
        dataset.compress(RLELossless, generate_instance_uid=False)
    broken[4].PixelData = broken[4].PixelData[:90] + b"\0" * (len(broken[4].PixelData) - 90)
    with pytest.raises(InputRejected) as refused:
        read(broken)
    assert refused.value.reasons[0].code == "corrupt-instance"
