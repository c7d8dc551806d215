"""A plan as a reader sees it in a terminal."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from tabulate import tabulate

from smec.plan.cost import Cost
from smec.plan.estimate import Estimate
from smec.plan.planned import PlannedJob

PHASES = {
    "data": ("fetch",),
    "vectors": ("pretrain", "embed", "embed_without_model", "embed_part", "gather", "embed_finetuned"),
    "training": ("mine", "train", "finetune"),
    "scores": ("evaluate",),
    "tables, figures, report": (),
}
"""In order; the last one has all other rules."""
GIGABYTE = 1e9
MILLION = 1e6


def plan_text(jobs: Sequence[PlannedJob], estimate: Estimate) -> str:
    """Return counts per rule, costs per phase and per dataset and backbone, and what they rest on."""
    if not jobs:
        return "Nothing is left to do: every file is there and up to date."
    jobs = sorted(jobs, key=lambda job: list(PHASES).index(_phase(job)))
    costs = [(job, estimate.cost(job)) for job in jobs]
    parts = [
        _heading("Jobs") + _counts(jobs),
        _heading("By phase") + _grouped(costs, _phase),
        _heading("By dataset and backbone") + _grouped(costs, _pair),
        _sizes(jobs, estimate),
        _assumptions(jobs, estimate),
    ]
    return "\n\n".join(part for part in parts if part)


def _heading(text: str) -> str:
    return f"{text}\n{'-' * len(text)}\n"


def _counts(jobs: Iterable[PlannedJob]) -> str:
    counts = Counter(job.rule for job in jobs)
    return str(tabulate([*counts.items(), ("total", counts.total())], headers=["rule", "jobs"]))


def _phase(job: PlannedJob) -> str:
    return next((phase for phase, rules in PHASES.items() if job.rule in rules), list(PHASES)[-1])


def _pair(job: PlannedJob) -> str:
    named = [job.wildcards.get(key, "") for key in ("dataset", "backbone")]
    return " with ".join(filter(None, named)) or "all together"


def _grouped(costs: Iterable[tuple[PlannedJob, Cost]], group: Callable[[PlannedJob], str]) -> str:
    by_group: dict[str, list[Cost]] = {}
    for job, cost in costs:
        by_group.setdefault(group(job), []).append(cost)
    lines = [_line(name, found) for name, found in by_group.items()]
    lines.append(_line("total", [cost for found in by_group.values() for cost in found]))
    heads = ["", "jobs", "GPU-hours", "core-hours", "disk, GB", "million tokens", "dollars"]
    return str(tabulate(lines, headers=heads, disable_numparse=True, colalign=("left", *["right"] * 6)))


def _line(name: str, costs: Sequence[Cost]) -> list[str]:
    total = Cost.total(costs)
    stored = (total.result_bytes + total.download_bytes) / GIGABYTE
    shown = [f"{total.gpu_hours:,.2f}", f"{total.core_hours:,.2f}", f"{stored:,.2f}"]
    paid = [f"{total.tokens / MILLION:,.1f}", f"{total.dollars:,.2f}"] if total.tokens else ["", ""]
    return [name, f"{len(costs):,}", *shown, *paid]


def _sizes(jobs: Iterable[PlannedJob], estimate: Estimate) -> str:
    used = {job.wildcards["dataset"] for job in jobs if "dataset" in job.wildcards}
    lines: list[tuple[str, ...]] = []
    for name, size in estimate.sizes.items():
        if name in used and size is not None:
            source = "counted" if size.counted else "published, or at most"
            numbers = (f"{size.documents:,}", f"{size.training:,}", f"{size.test:,}", f"{size.document_words:.0f}")
            lines.append((name, *numbers, source))
    heads = ["dataset", "documents", "queries to learn from", "test queries", "words of a document", "from"]
    return _heading("Sizes") + str(tabulate(lines, headers=heads, disable_numparse=True)) if lines else ""


def _assumptions(jobs: Sequence[PlannedJob], estimate: Estimate) -> str:
    rates, unknown = estimate.rates, estimate.unknown(jobs)
    told = [
        f"Reckoned with a GPU {rates.gpu} at {rates.utilisation:.0%} of its peak and cores of "
        f"{rates.core_flops / 1e9:.0f} GFLOP/s; `plan` in the configuration changes that. Estimates are "
        "rough and have not been held against runs of this size; job counts are exact. Tokens and dollars are upper "
        "limits."
    ]
    scratch = max(estimate.cost(job).scratch_bytes for job in jobs)
    if scratch:
        told.append(
            f"Besides the disk above, a training job takes up to {scratch / GIGABYTE:,.2f} GB while it runs, for "
            "vectors that do not fit `training_vectors.memory_mb`."
        )
    if unknown:
        told.append(f"Not in the sums, because their size is not known yet: {', '.join(unknown)}.")
    return "\n".join(told)
