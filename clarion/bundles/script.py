"""A bundle's TorchScript. It is a program: what of it could touch a file is refused before it runs.

Loading runs the `__setstate__` of what it holds, so that is looked for in the archive first. All
other code of it is read, once it is loaded, for the operators that it calls.
"""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from deploy.modelrepo.refused import Refused

_KNOWN = {"aten", "prim", "quantized"}
"""Where PyTorch's own operators on tensors and numbers are; those beside them reach further."""

_FILES = {"aten::from_file", "aten::save"}
_RUN_AT_LOADING = b"__setstate__"
_REMEDY = "give the bundle network_def in configs/inference.json and models/model.pt instead"


def opened(path: Path) -> torch.jit.ScriptModule:
    """The network, for inference; none of it has run. Raises `Refused`."""
    try:
        _check_archive(path)
        unit = torch._C.CompilationUnit()
        module = torch._C.import_ir_module(unit, str(path), torch.device("cpu"), {}, False)
    except Refused:
        raise
    except Exception as error:  # zipfile's, zlib's and torch's own
        why = str(error).partition("\n")[0]
        raise Refused("unreadable-network", f"models/{path.name}: {why}") from error
    for function in unit.get_functions():
        _check_operators(function.graph)
    network: torch.jit.ScriptModule = torch.jit._recursive.wrap_cpp_module(module)
    return network.eval()


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if any(_RUN_AT_LOADING in archive.read(member) for member in archive.infolist()):
            raise Refused(
                "script-not-run", f"models/{path.name} runs code when it is loaded; {_REMEDY}"
            )


def _check_operators(graph: Any) -> None:
    for node in _nodes(graph.nodes()):
        operator = node.kind()
        if operator in _FILES or operator.partition("::")[0] not in _KNOWN:
            raise Refused(
                "script-not-run",
                f"models/model.ts calls {operator}, which may reach beyond the network; {_REMEDY}",
            )


def _nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    """These and all in them: branches, loops, and what is called in the background."""
    for node in nodes:
        yield node
        for block in node.blocks():
            yield from _nodes(block.nodes())
        for name in node.attributeNames():
            if node.kindOf(name) == "g":
                yield from _nodes(node.g(name).nodes())
