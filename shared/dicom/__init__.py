"""DICOM files as bytes: elements, the header index, the meta information."""
