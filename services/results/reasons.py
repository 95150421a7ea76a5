"""What each code means to people, and what can be done about it."""

from shared.events.models import ReasonModel

TEXTS = {
    # Refusals: this study can't be analysed (the order is that of precedence).
    "corrupt-instance": "An image could not be read. Send the study again from its source.",
    "mixed-patient": "Images of more than one patient arrived under one study.",
    "no-image": "Nothing in the study is an image.",
    "not-ct": "The study holds no CT images.",
    "localizer": "Only localizer images were found, no axial series.",
    "derived-image": "The series was derived (reformatted or projected), not acquired.",
    "no-pixel-data": "The images hold no pixel data.",
    "unsupported-transfer-syntax": "The images are compressed in a way that can't be decoded.",
    "no-frame-of-reference": "The images don't say in which frame of reference they lie.",
    "not-hu": "The pixel values can't be converted to Hounsfield units.",
    "not-axial": "The slices are not axial.",
    "gantry-tilt": "The gantry was tilted by more than the pipeline allows.",
    "inconsistent-geometry": "The slices differ in orientation, matrix or pixel spacing.",
    "duplicate-positions": "Several slices lie at the same position.",
    "missing-slices": "Slices are missing. Sending them makes a new version of this job.",
    "spacing-too-wide": "The slices lie further apart than the pipeline allows.",
    "too-few-slices": "The series has fewer slices than the pipeline needs. Only those of one "
    "acquisition, image type, orientation, matrix, kernel and thickness are counted together.",
    "too-large": "The series has more voxels than the pipeline allows.",
    "lungs-not-found": "No lungs were found in the images.",
    # Defects: the system failed the study, not the other way round.
    "deadline": "The job did not end within the pipeline's deadline. Run it again.",
    "defect": "A service failed three times. See `clarion failures show`, then run it again.",
    "out-of-memory": "A service needed more memory than it may use.",
    "worker-died": "A worker process died while it had this study.",
    "service-died": "A service's process died each time it had this study.",
    "deadline-exceeded": "A stage took longer than it may. Run the job again.",
    "not-started": "A service could not start a worker process. See its log, then run it again.",
    "wrong-product": "A service made something else than it declares. Nothing of it was used.",
    "dependency-failed": "A dependency failed this stage while it answered its own probe. "
    "Run the job again.",
    "outcome-unreadable": "What a stage had written of this job can't be read any more. "
    "Run the job again: that stage is made anew.",
    "definition-missing": "The pipeline definition of this job can't be read from the store.",
    # Deliveries.
    "broke-off": "Sending broke off; it is tried again.",
    "no-connection": "The destination can't be reached; it is tried again.",
    "no-response": "The destination did not answer; it is tried again.",
    "association-lost": "The association broke off; it is tried again.",
    "presentation-context-rejected": "The destination does not take this kind of object. "
    "Have it accept the SOP class and transfer syntax, then run the job again.",
    "identity-conflict": "The destination knows the study under another patient ID or accession "
    "number. Send the corrected study again.",
    "unknown-destination": "No destination of this name is configured (CLARION_DESTINATIONS).",
    "payload-missing": "The object is gone from the payload store. Run the job again, fresh.",
    "superseded-by-newer-version": "A newer version of the study replaced this one.",
    "replaced-by-later-run": "A later run of the job made another object in its place.",
}


def text_of(reason: ReasonModel) -> str:
    """One sentence or two for people, with the numbers that show it, a limit last."""
    known = TEXTS.get(reason.code, reason.code.replace("-", " ").capitalize() + ".")
    shown = sorted(reason.numbers.items(), key=lambda pair: (pair[0].startswith("at_"), pair))
    numbers = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown)
    return f"{known} ({numbers})" if numbers else known
