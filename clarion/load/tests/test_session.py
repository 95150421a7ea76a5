"""Which studies of one's own are sent to find how many the machine holds."""

from pathlib import Path

import pytest

from clarion.failure import Failure
from clarion.load import session
from clarion.load.session import Kind
from deploy.embedded.home import Home, open_home
from phantom.dicom import write
from phantom.studies import slab
from shared.catalog import load_catalog

KIND = Kind({"stat": 0.5}, {}, None, shuffled=False, recorded=True)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", load_catalog())


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A study of each modality."""
    for seed, modality in enumerate(("MR", "CT", "DX")):
        datasets = slab(seed)[:2]
        for dataset in datasets:
            dataset.Modality = modality
        write(datasets, tmp_path / "scans" / modality)
    return tmp_path / "scans"


def test_studies_that_no_pipeline_admits_stay_out(home: Home, scans: Path) -> None:
    found = session.folders([scans])
    kept = session.admitted(home, KIND, found)
    assert len(found) == 3
    assert [each.instances[0].path.parent.name for each in kept] == ["CT"]


def test_folders_without_a_study_that_makes_a_job_are_refused(home: Home, scans: Path) -> None:
    with pytest.raises(Failure, match="no-studies: no pipeline admits"):
        session.admitted(home, KIND, session.folders([scans / "MR"]))
