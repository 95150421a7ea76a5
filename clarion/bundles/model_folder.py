"""Writes a model's `config.pbtxt` and card."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from clarion.bundles.metadata import Metadata, plain

_CONFIGURATION = """\
name: "{name}"
backend: "{backend}"
max_batch_size: 1
input [ {{ name: "{input}" data_type: TYPE_FP32 dims: [ {input_dims} ] }} ]
output [ {{ name: "{output}" data_type: TYPE_FP32 dims: [ {output_dims} ] }} ]
dynamic_batching {{ priority_levels: 3 default_priority_level: 2 }}
instance_group [ {{ count: 1 kind: KIND_AUTO }} ]
"""
_PARAMETER = 'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}\n'

_CARD = """\
# {name} {version}: {title}

**Not for diagnosis. Research use only.** Converted from a MONAI bundle; what follows is the \
bundle's word, and nothing of it was checked here.

{description}

## Data

{data}

## Measured

{measured}

In {runtime} the network's output is the bundle's to within {difference}, as a share of the \
largest output above 1.

## Limits

{limits}

## Converted

Steps of the bundle's preprocessing, in its order: {steps}. What they became stands in \
`config.pbtxt`.

{notes}
"""


def write_configuration(
    path: Path,
    name: str,
    backend: str,
    tensors: tuple[str, str],
    dims: tuple[Sequence[int], Sequence[int]],
    parameters: Mapping[str, str],
) -> None:
    """`tensors` and `dims` are the input's and the output's, without the batch."""
    head = _CONFIGURATION.format(
        name=name,
        backend=backend,
        input=tensors[0],
        output=tensors[1],
        input_dims=", ".join(str(each) for each in dims[0]),
        output_dims=", ".join(str(each) for each in dims[1]),
    )
    lines = (_PARAMETER.format(key=key, value=plain(said)) for key, said in parameters.items())
    path.write_text(head + "".join(lines))


def write_card(
    path: Path,
    name: str,
    metadata: Metadata,
    steps: Sequence[str],
    notes: Sequence[str],
    runtime: tuple[str, float],
) -> None:
    """`runtime` names what ran the converted network, and the difference it made."""
    texts = metadata.texts
    path.write_text(
        _CARD.format(
            name=name,
            version=metadata.version,
            title=metadata.name,
            description=texts.get("description", "The bundle does not describe itself."),
            data=texts.get("data_source", "The bundle does not tell."),
            measured=texts.get("eval_metrics", "The bundle tells no figures."),
            runtime=runtime[0],
            difference=f"{runtime[1]:.1e}",
            limits=texts.get("intended_use", "The bundle tells no intended use.")
            + " No accuracy is claimed in this pipeline until it is measured here.",
            steps=", ".join(steps),
            notes="\n".join(f"- {note}" for note in notes) or "Nothing of it differs.",
        )
    )
