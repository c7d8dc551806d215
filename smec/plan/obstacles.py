"""What the planned jobs would lack on this machine: disk, keys, consent, models, data, a network. Nothing is loaded."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from smec import backbones, datasets
from smec.backbones.model_files import is_hub_id, missing_model, model_folder
from smec.backbones.openai_api import OpenAISettings
from smec.datasets.beir import BeirSettings
from smec.errors import SmecError
from smec.files import read_json
from smec.plan.cost import Cost
from smec.plan.estimate import Estimate
from smec.plan.planned import PlannedJob

if TYPE_CHECKING:
    from smec.config import Config

GATED = ("meta-llama/", "google/gemma", "google/embeddinggemma", "mistralai/Mistral-7B-Instruct-v0.2")
"""Beginnings of hub ids whose pages ask for consent, and so for a token."""
TELLING_FILES = ("config.json", "adapter_config.json")
"""Of a model on a hub, the one of which it has: the second belongs to an adapter."""
CODE_OF_ITS_OWN = "llm2clip"
"""A kind whose published models all bring code."""
PATIENCE = 5.0
"""Seconds that a server has to answer."""
GIGABYTE = 1e9
HALF = 2


def obstacles(config: "Config", jobs: Sequence[PlannedJob], results: Path = Path("results")) -> list[str]:
    """Return everything that would stop the jobs, a sentence or two each; nothing where all is there.

    Args:
        config: checked.
        jobs: that are left to do.
        results: folder of the results.
    """
    fetched = sorted({job.wildcards["dataset"] for job in jobs if job.rule == "fetch"})
    loaded = sorted({job.wildcards["backbone"] for job in jobs if "role" in job.spec or job.rule == "finetune"})
    told = [*_missing(config, fetched, loaded), *_too_dear(config, jobs, results)]
    if config.plan.check_network:
        told += _unreachable(_addresses(config, fetched, loaded))
    return told + _disk(config, jobs, loaded, results)


def refuse(told: Sequence[str]) -> None:
    """Raise where something is missing.

    Raises:
        SmecError: lists all of it.
    """
    if told:
        listed = " ".join(f"({number}) {each}" for number, each in enumerate(told, start=1))
        things = "One thing is" if len(told) == 1 else f"{len(told)} things are"
        raise SmecError(
            f"{things} missing for the jobs that are to be run: {listed} Nothing was started. Jobs that do not need "
            "them can be run by naming their targets; `plan: {check: false}` in the configuration leaves this look out."
        )


def _missing(config: "Config", fetched: Iterable[str], loaded: Iterable[str]) -> Iterator[str]:
    for name in fetched:
        told = datasets.parse(config.datasets[name]).missing()
        if told:
            yield f"datasets.{name}: {told}"
    for name in loaded:
        settings = backbones.parse(config.backbones[name])
        told = settings.missing() or _consent(settings.model_dump()) or _remote_code(settings.model_dump())
        if told:
            yield f"backbones.{name}: {told}"


def _hub_models(values: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Return the models of a backbone that lie on a hub, with their revisions; none for those of other kinds."""
    if values["kind"] in ("openai", "precomputed", "open_clip", "trained_clip"):
        return []
    inner = [values["text_model"]] if values.get("text_model") else []
    parts = [values, *values.get("adapters", ()), *inner, *(a for part in inner for a in part.get("adapters", ()))]
    return [(part["model"], part["revision"]) for part in parts if is_hub_id(part["model"])]


def _cached(model: str, revision: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(model, file, revision=revision), str) for file in TELLING_FILES)


def _consent(values: Mapping[str, Any]) -> str | None:
    """Say that a model asks for consent and no token is there."""
    from huggingface_hub import get_token

    asking = [m for m, revision in _hub_models(values) if m.startswith(GATED) and not _cached(m, revision)]
    if not asking or get_token():
        return None
    return (
        f"The page of the model {asking[0]!r} asks for consent: give it there, and set HF_TOKEN where the job runs, or "
        "log in with `hf auth login`."
    )


def _remote_code(values: Mapping[str, Any]) -> str | None:
    """Say that a model brings code of its own, which transformers would need, and may not run it."""
    model = str(values.get("model", ""))
    if values.get("trust_remote_code", True) or missing_model(model, values.get("revision")):
        return None
    config = _model_config(model, values["revision"])
    brings = "auto_map" in config and not _known_to_transformers(config.get("model_type"))
    if not brings and not (values["kind"] == CODE_OF_ITS_OWN and is_hub_id(model)):
        return None
    return (
        f"The model {model!r} brings code of its own, which runs only where it is trusted: read it, and set "
        "trust_remote_code: true."
    )


def _model_config(model: str, revision: str | None) -> dict[str, Any]:
    """Return the configuration of a model that is on this machine; empty where it is not."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model, "config.json", revision=revision) if is_hub_id(model) else None
    path = found if is_hub_id(model) else model_folder(model) / "config.json"
    content = read_json(path) if isinstance(path, str | Path) and Path(path).exists() else {}
    return content if isinstance(content, dict) else {}


def _known_to_transformers(model_type: str | None) -> bool:
    from transformers import CONFIG_MAPPING

    return model_type in CONFIG_MAPPING


def _too_dear(config: "Config", jobs: Iterable[PlannedJob], results: Path) -> Iterator[str]:
    """Say which stores of a paid API are estimated above their ceiling, as the job itself will before it pays."""
    estimate, spent = Estimate(config, results), dict[tuple[str, str, str], Cost]()
    for job in jobs:
        if "role" in job.spec:
            store = (job.wildcards["dataset"], job.wildcards["backbone"], job.spec["role"])
            spent[store] = spent.get(store, Cost()) + estimate.cost(job)
    for (dataset, backbone, role), cost in spent.items():
        settings = backbones.parse(config.backbones[backbone])
        if isinstance(settings, OpenAISettings) and cost.dollars > settings.max_cost:
            yield (
                f"backbones.{backbone}: the {role} of {dataset} is estimated at {cost.dollars:.2f} dollars, more than "
                f"max_cost: {settings.max_cost:g}. Raise it if you mean it."
            )


def _addresses(config: "Config", fetched: Iterable[str], loaded: Iterable[str]) -> dict[str, list[str]]:
    """Return the servers that are to be asked for something, and for what."""
    found: dict[str, list[str]] = {}
    for name in fetched:
        wanted = datasets.parse(config.datasets[name])
        if isinstance(wanted, BeirSettings) and wanted.download and not _is_here(wanted):
            found.setdefault(_server(wanted.url), []).append(f"datasets.{name}")
    for name in loaded:
        settings = backbones.parse(config.backbones[name])
        if isinstance(settings, OpenAISettings):
            found.setdefault(_server(settings.base_url), []).append(f"backbones.{name}")
        elif any(not _cached(model, revision) for model, revision in _hub_models(settings.model_dump())):
            from huggingface_hub import constants

            found.setdefault(_server(constants.ENDPOINT), []).append(f"backbones.{name}")
    return found


def _is_here(wanted: BeirSettings) -> bool:
    return bool(wanted.archive.exists() or wanted.unpacked.is_dir())


def _server(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _unreachable(addresses: Mapping[str, Sequence[str]]) -> list[str]:
    if not addresses:
        return []
    with ThreadPoolExecutor(len(addresses)) as pool:
        reasons = list(pool.map(_no_answer, addresses))
    return [
        f"{', '.join(wanting)}: no connection to {server} ({reason}). Check the network and the proxy; where only "
        "other nodes have a network, set `plan: {check_network: false}`."
        for (server, wanting), reason in zip(addresses.items(), reasons, strict=True)
        if reason
    ]


def _no_answer(server: str) -> str | None:
    """Return why a server does not answer; None where it does, whatever it says."""
    import requests

    try:
        requests.head(server, timeout=PATIENCE, allow_redirects=False)
    except requests.RequestException as error:
        return type(error).__name__
    return None


def _disk(config: "Config", jobs: Sequence[PlannedJob], loaded: Sequence[str], results: Path) -> list[str]:
    """Say which disks are too small for what the jobs leave on them."""
    needed: dict[int, tuple[Path, float]] = {}
    for folder, size in _written(config, jobs, loaded, results):
        if size:
            place = _existing(folder)
            disk = place.stat().st_dev
            first, before = needed.get(disk, (folder, 0.0))
            needed[disk] = (first, before + size)
    told = []
    for folder, size in needed.values():
        free = shutil.disk_usage(_existing(folder)).free
        if size > free:
            told.append(
                f"Disk: the jobs leave about {size / GIGABYTE:,.1f} GB on the disk of {folder}, which has "
                f"{free / GIGABYTE:,.1f} GB free. Free some, let `{folder}` lead to a larger disk, halve the "
                "vectors with `store: {dtype: float16}`, or plan fewer experiments."
            )
    return told


def _written(
    config: "Config", jobs: Sequence[PlannedJob], loaded: Sequence[str], results: Path
) -> Iterator[tuple[Path, float]]:
    """Yield folders and the bytes that are written there."""
    from huggingface_hub import constants

    estimate = Estimate(config, results)
    scratch = max((estimate.cost(job).scratch_bytes for job in jobs), default=0.0)
    yield Path(config.training_vectors.folder or results), scratch  # one such job may follow another
    for job in jobs:
        cost = estimate.cost(job)
        yield results, cost.result_bytes
        root = config.datasets.get(job.wildcards.get("dataset", ""), {}).get("data_root")
        yield Path(root).expanduser() if root else results, cost.download_bytes
    for name in loaded:
        hub = _hub_models(backbones.parse(config.backbones[name]).model_dump())
        if any(not _cached(model, revision) for model, revision in hub):
            yield Path(constants.HF_HUB_CACHE), HALF * (estimate.models[name].parameters or 0.0)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that exists."""
    place = folder.absolute()
    while not os.path.lexists(place) or not place.exists():
        place = place.parent
    return place
