"""How often what is drawn: the knobs of one patient of many, for training."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

Kind = Literal["covid", "lobar", "tumour", "oedema", "atelectasis", "healthy"]

KINDS: dict[Kind, float] = {
    "covid": 0.45,
    "healthy": 0.15,
    "lobar": 0.12,
    "tumour": 0.12,
    "oedema": 0.08,
    "atelectasis": 0.08,
}
"""Of a hundred phantoms, how many show what."""


def knobs(seed: int, extent: float) -> dict[str, Any]:
    """All fields of a recipe but its grid; `extent` is the scan's length in mm."""
    rng = np.random.default_rng([seed, 0])
    kinds = list(KINDS)
    kind = kinds[int(rng.choice(len(kinds), p=list(KINDS.values())))]
    anyone = {**_body(rng), **_additions(rng), **_image(rng, extent)}
    return {**anyone, "kind": kind, **_OF[kind](rng)}


def _sometimes(rng: np.random.Generator, odds: float, low: float, high: float) -> float:
    value = float(rng.uniform(low, high))
    return value if rng.random() < odds else 0.0


def _body(rng: np.random.Generator) -> dict[str, Any]:
    breath = float(np.clip(rng.normal(0.97, 0.10), 0.65, 1.12))
    return {
        "scale": float(rng.uniform(0.80, 1.15)),
        "barrel": float(rng.uniform(0.88, 1.18)),
        "kyphosis": float(rng.normal(0.0, 7.0)),
        "breath": breath,
        "raised": float(rng.normal(0.0, 4.0)) + _sometimes(rng, 0.12, -45.0, 45.0),
        "heart": float(rng.uniform(0.85, 1.15)),
        "fat": min(float(rng.gamma(2.2, 8.5) + 2.0), 50.0),
        # Less air in a smaller lung: denser when the patient did not breathe in deeply.
        "lung_hu": float(rng.uniform(-915.0, -815.0) + 260 * max(0.0, 1 - breath)),
        "vessels": float(rng.uniform(0.75, 1.2)),
        "contrast": _sometimes(rng, 0.45, 40.0, 330.0),
        "arms": "down" if rng.random() < 0.25 else "up",
        "breasts": bool(rng.random() < 0.45),
        "gas": float(rng.uniform(0.0, 1.0)),
        "interposed": bool(rng.random() < 0.05),
        "metal": str(
            rng.choice(["none", "pacemaker", "port", "wires"], p=[0.86, 0.05, 0.04, 0.05])
        ),
    }


def _additions(rng: np.random.Generator) -> dict[str, Any]:
    """What may be the matter beside the main disease."""
    sides = tuple(_sometimes(rng, 0.06, 4.0, 30.0) for _ in range(2))
    return {
        "emphysema": _sometimes(rng, 0.2, 0.02, 0.4),
        "nodules": int(rng.geometric(0.45)) if rng.random() < 0.15 else 0,
        "mosaic": float(rng.gamma(2.0, 7.0) + 4.0),
        "dependent": _sometimes(rng, 0.6, 20.0, 260.0),
        "bands": int(rng.geometric(0.5)) if rng.random() < 0.2 else 0,
        "collapse": _sometimes(rng, 0.06, 4.0, 18.0),
        "effusion": sides,
        "septa": _sometimes(rng, 0.08, 40.0, 200.0),
        "scars": _sometimes(rng, 0.2, 2.0, 12.0),
        "fibrosis": _sometimes(rng, 0.05, 4.0, 18.0),
        "heartbeat": _sometimes(rng, 0.5, 1.0, 7.0),
        "breathing": _sometimes(rng, 0.2, 3.0, 14.0),
    }


def _image(rng: np.random.Generator, extent: float) -> dict[str, Any]:
    cut = rng.random() < 0.35
    return {
        "roll": float(rng.normal(0.0, 5.0)),
        "offset": (float(rng.normal(0.0, 12.0)), float(rng.normal(0.0, 9.0))),
        "level": float(rng.uniform(-0.4, 0.4) * extent if cut else rng.normal(0.0, 14.0)),
        "table": bool(rng.random() < 0.9),
        "blanket": bool(rng.random() < 0.5),
        "padding": [None, None, -1024, -2000, -3024, -1500][int(rng.integers(6))],
        "noise": float(rng.gamma(1.6, 9.0) + 1.5),
        "kernel": "sharp" if rng.random() < 0.3 else "soft",
        "blur": float(rng.uniform(0.5, 2.0)),
        "overshoot": float(rng.uniform(0.2, 1.1)),
        "slice_thickness": float(rng.choice([0.0, 5.0, rng.uniform(3.0, 10.0)])),
    }


def _covid(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "lesions": min(int(2 + rng.geometric(0.09)), 30),
        "density": float(rng.beta(0.8, 1.0)),
        "faintness": float(rng.uniform(0.0, 1.0)),
        "paving": float(rng.choice([0.0, 0.0, rng.uniform(0.2, 1.0)])),
        "diffuse": _sometimes(rng, 0.22, 0.1, 0.75),
        "septa": 0.0,
    }


def _lobar(rng: np.random.Generator) -> dict[str, Any]:
    return {"lesions": int(rng.choice([1, 1, 2])), "density": float(rng.uniform(0.3, 1.0))}


def _tumour(rng: np.random.Generator) -> dict[str, Any]:
    return {"lesions": int(rng.choice([1, 1, 1, 2, 3]))}


def _oedema(rng: np.random.Generator) -> dict[str, Any]:
    sides = tuple(_sometimes(rng, 0.75, 5.0, 45.0) for _ in range(2))
    return {
        "lesions": 0,
        "oedema": float(rng.uniform(80.0, 480.0)),
        "septa": _sometimes(rng, 0.85, 60.0, 260.0),
        "effusion": sides,
        "heart": float(rng.uniform(1.0, 1.3)),
        "vessels": float(rng.uniform(1.0, 1.4)),
    }


def _atelectasis(rng: np.random.Generator) -> dict[str, Any]:
    sides = tuple(_sometimes(rng, 0.45, 5.0, 50.0) for _ in range(2))
    return {
        "lesions": 0,
        "dependent": float(rng.uniform(120.0, 450.0)),
        "bands": int(rng.integers(0, 6)),
        "collapse": _sometimes(rng, 0.6, 6.0, 35.0),
        "effusion": sides,
        "breathing": _sometimes(rng, 0.5, 4.0, 16.0),
    }


def _healthy(rng: np.random.Generator) -> dict[str, Any]:
    """Half of the healthy have nothing at all, the others what many people carry about."""
    well = rng.random() < 0.5
    nothing = {"nodules": 0, "bands": 0, "scars": 0.0, "emphysema": 0.0, "fibrosis": 0.0}
    return {
        "lesions": 0,
        "collapse": 0.0,
        "effusion": (0.0, 0.0),
        "septa": 0.0,
        "dependent": _sometimes(rng, 0.5, 10.0, 140.0),
        **(nothing if well else {}),
    }


_OF = {
    "covid": _covid,
    "lobar": _lobar,
    "tumour": _tumour,
    "oedema": _oedema,
    "atelectasis": _atelectasis,
    "healthy": _healthy,
}
