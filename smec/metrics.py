"""nDCG@10, recall@100 and MRR@10 of each query, computed by trec_eval's own code (pytrec_eval).

- `ndcg@10`: linear gain (the grade), discount log2(rank + 1), ideal ranking from all judgements of the query.
- `recall@100`: share of the documents with a grade of 1 or more that are among the first 100.
- `mrr@10`: 1 / rank of the first document with a grade of 1 or more among the first 10, else 0.

Documents without a judgement count as not relevant. trec_eval sorts what it is given by score, in float32, and ties by
document name; the ranks are therefore handed over as scores, so that the order is the search's own.

A query without a relevant document has no defined value: any ranking would score 0 and only dilute the mean. Such
queries are not evaluated; `evaluable` takes them out, `per_query` refuses them.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smec.errors import SmecError
from smec.judgements import Judgements

METRICS = ("ndcg@10", "recall@100", "mrr@10")
DEPTH = 100
"""Documents per query that the metrics look at."""
RECIPROCAL_RANK_DEPTH = 10
RELEVANT = 1
PAIRS_AT_ONCE = 2_000_000
"""Judged pairs that are handed to trec_eval at once."""


def evaluable(judgements: Judgements) -> Judgements:
    """Return the judgements, of every grade, of the queries that have a relevant document."""
    return judgements.select(np.flatnonzero(_relevant_counts(judgements) > 0))


def per_query(judgements: Judgements, ranked_rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return the value of every metric for every query.

    Args:
        judgements: of n queries, each with a relevant document; grades are whole numbers.
        ranked_rows: int64 (n, k), corpus rows found for these queries, best first, -1 for none; k >= 100 unless the
            corpus is smaller.

    Returns:
        float64 (n,) for each name in `METRICS`, queries as in `judgements`.

    Raises:
        SmecError: a query has no relevant document, a grade is not whole, the numbers of queries differ, or a row was
            found twice for one query.
    """
    _check(judgements, ranked_rows)
    from pytrec_eval import RelevanceEvaluator

    parts: list[dict[str, NDArray[np.float64]]] = []
    first = 0
    # trec_eval is given every judged pair as text: where judgements are by class, a part of the queries at a time.
    for block in judgements.blocks(PAIRS_AT_ONCE):
        parts.append(_of_block(block, ranked_rows[first : first + len(block)], RelevanceEvaluator))
        first += len(block)
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def _of_block(judgements: Judgements, ranked_rows: NDArray[np.int64], evaluator: Any) -> dict[str, NDArray[np.float64]]:
    relevance = _relevance(judgements)
    whole = evaluator(relevance, {"ndcg_cut.10", f"recall.{DEPTH}"}).evaluate(_run(ranked_rows[:, :DEPTH]))
    first = evaluator(relevance, {"recip_rank"}).evaluate(_run(ranked_rows[:, :RECIPROCAL_RANK_DEPTH]))
    return {
        "ndcg@10": _column(whole, "ndcg_cut_10", len(judgements)),
        f"recall@{DEPTH}": _column(whole, f"recall_{DEPTH}", len(judgements)),
        "mrr@10": _column(first, "recip_rank", len(judgements)),
    }


def _relevant_counts(judgements: Judgements) -> NDArray[np.int64]:
    passed = np.concatenate(([0], np.cumsum(judgements.relevance >= RELEVANT)))
    counts: NDArray[np.int64] = passed[judgements.stops] - passed[judgements.starts]
    if judgements.own is None:
        return counts
    own = judgements.own_places
    counts -= passed[np.minimum(own + 1, len(passed) - 1)] - passed[own]
    return counts


def _check(judgements: Judgements, ranked_rows: NDArray[np.int64]) -> None:
    if len(ranked_rows) != len(judgements):
        raise SmecError(f"{len(ranked_rows)} rankings were given for {len(judgements)} judged queries.")
    fractions = judgements.relevance != np.round(judgements.relevance)
    if fractions.any():
        raise SmecError(
            f"The grade {judgements.relevance[fractions][0]} is not a whole number, which trec_eval's measures need. "
            "Scale or round the relevance column of the judgements."
        )
    without = np.flatnonzero(_relevant_counts(judgements) == 0)
    if len(without):
        raise SmecError(
            f"{len(without)} of {len(judgements)} queries have no relevant document (the first is row "
            f"{judgements.query_rows[without[0]]}), so no metric is defined for them. Take them out with evaluable()."
        )


def _relevance(judgements: Judgements) -> dict[str, dict[str, int]]:
    documents = judgements.corpus_rows.astype(str).tolist()
    grades = judgements.relevance.astype(int).tolist()
    bounds = itertools.pairwise(judgements.offsets.tolist())
    return {str(i): dict(zip(documents[a:b], grades[a:b], strict=True)) for i, (a, b) in enumerate(bounds)}


def _run(ranked_rows: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    falling = [float(-rank) for rank in range(ranked_rows.shape[1])]
    run: dict[str, dict[str, float]] = {}
    for query, rows in enumerate(ranked_rows.tolist()):
        found = {str(row): score for row, score in zip(rows, falling, strict=True) if row >= 0}
        if len(found) < len(rows) - rows.count(-1):
            raise SmecError(f"A document was found twice for query {query} of the ranking; a search must not do that.")
        run[str(query)] = found
    return run


def _column(values: Mapping[str, Mapping[str, float]], name: str, count: int) -> NDArray[np.float64]:
    return np.array([values[str(i)][name] if str(i) in values else 0.0 for i in range(count)], dtype=np.float64)
