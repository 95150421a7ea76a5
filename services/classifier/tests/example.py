"""What a small classifier says of itself."""

SAID = {
    "algorithm_name": "Fullness",
    "sha256": "c" * 64,
    "training_data": "none",
    "intensity_window": "-1000 0",
    "intensity_range": "0 1",
    "pad_value": "-1000",
    "crop": "lungs",
    "margin_mm": "4",
    "size": "12 16 20",
    "mask_outside": "no",
    "output": "probabilities",
    "activation": "softmax",
    "labels": "0 non-COVID-19,1 COVID-19",
    "threshold": "0.5",
}
