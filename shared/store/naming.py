"""How artifacts are named: by their content's hash, with a suffix that people recognise."""

_SUFFIXES = {
    "application/dicom": ".dcm",
    "application/json": ".json",
    "application/pdf": ".pdf",
    "application/vnd.clarion.segment": ".segment",
    "application/x-metaimage": ".mha",
    "application/yaml": ".yaml",
    "image/png": ".png",
    "text/csv": ".csv",
    "text/plain": ".txt",
}


def artifact_key(sha256: str, media_type: str) -> str:
    """`artifacts/ab/abcd….mha`: one level of folders keeps listings short."""
    return f"artifacts/{sha256[:2]}/{sha256}{_SUFFIXES.get(media_type, '.bin')}"
