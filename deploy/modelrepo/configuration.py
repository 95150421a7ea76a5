"""Triton's `config.pbtxt`: read, told apart, and written for the version that is to answer."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from deploy.modelrepo.refused import Refused

FILE = "config.pbtxt"
ModelConfig = Any
"""`inference.ModelConfig`, a message whose package has no types."""
_HEADER = "# Version {} answers. Written by `clarion models`, which alone changes this file.\n"
_DIGEST = "sha256"


def read(path: Path) -> ModelConfig:
    """A configuration. Raises `Refused` for one that is none."""
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise Refused("bad-configuration", f"{path}: {error}. Correct the file") from None


def parameters(config: ModelConfig) -> Mapping[str, str]:
    """What the model says of itself."""
    return {key: value.string_value for key, value in config.parameters.items()}


def fingerprint(config: ModelConfig) -> str:
    """The sha256 of what a configuration means, whatever its layout, name, policy and stamp."""
    bare = model_config_pb2.ModelConfig()
    bare.CopyFrom(config)
    bare.ClearField("name")
    bare.ClearField("version_policy")
    bare.parameters.pop(_DIGEST, None)
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()


def key(config: ModelConfig) -> tuple[str | None, str]:
    """The digests of the weights that a configuration tells, and of itself."""
    return parameters(config).get(_DIGEST), fingerprint(config)


def for_version(config: ModelConfig, name: str, number: int, digest: str) -> str:
    """The text with which one version of a model answers, telling the digest of its weights."""
    chosen = model_config_pb2.ModelConfig()
    chosen.CopyFrom(config)
    chosen.name = name
    chosen.version_policy.Clear()
    chosen.version_policy.specific.versions.append(number)
    chosen.parameters[_DIGEST].string_value = digest
    return f"{_HEADER.format(number)}{text_format.MessageToString(chosen)}"


def chosen_version(config: ModelConfig) -> int | None:
    """The one version that a configuration lets answer, if it names one."""
    versions = config.version_policy.specific.versions
    return int(versions[0]) if len(versions) == 1 else None
