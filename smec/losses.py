"""Losses on similarity scores: tensors in, scalar out.

All supervised losses share one signature. `scores` is float (..., B, U): the cosine of each of B queries with each of U
documents of the batch, at each of any number of sizes. `relevance` is float (B, U): the grade of each pair, 0 where the
pair is not judged, below 0 where it is to be ignored. Each returns, for each size, the mean over the queries that have
a relevant document in the batch, so that values compare across batch sizes; the papers' sums differ by that constant
factor only.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

LossName = Literal["rank", "infonce", "mse", "cross_entropy", "hinge"]


def rank_loss(scores: Tensor, relevance: Tensor, temperature: float = 1.0) -> Tensor:
    """Pairwise logistic loss, weighted by the difference of the grades (SMEC, rank loss; Search-Adaptor eq. 2).

    `sum_j sum_k 1[y_j > y_k] (y_j - y_k) log(1 + exp((s_k - s_j) / T))`, divided by the number of pairs (j, k) of the
    query, then averaged over queries. The papers have T = 1.

    Args:
        scores: float (..., B, U), cosines.
        relevance: float (B, U), grades.
        temperature: divides the cosines.

    Returns:
        float (...).
    """
    query, behind, weight = _ranked_pairs(scores, relevance)
    per_relevant = (weight * functional.softplus(behind / temperature)).sum(-1)
    return _mean_over_queries(per_relevant, (weight > 0).sum(1), query, len(relevance))


def hinge_loss(scores: Tensor, relevance: Tensor, margin: float = 0.3) -> Tensor:
    """Triplet loss that stops pulling where a pair is far enough apart (DIVE, arXiv 2605.20689).

    `max(0, margin - (s_j - s_k))` over the pairs y_j > y_k, averaged over the pairs of a query, then over queries. A
    pair that meets the margin counts in the average and has no gradient.

    Args:
        scores: float (..., B, U), cosines.
        relevance: float (B, U), grades; how far apart they are does not matter.
        margin: by how much the better document has to be ahead, a difference of cosines.

    Returns:
        float (...).
    """
    query, behind, weight = _ranked_pairs(scores, relevance)
    ranked = (weight > 0).to(scores.dtype)
    per_relevant = (ranked * functional.relu(margin + behind)).sum(-1)
    return _mean_over_queries(per_relevant, ranked.sum(1), query, len(relevance))


def info_nce(scores: Tensor, relevance: Tensor, temperature: float = 0.05) -> Tensor:
    """Contrastive loss: each relevant document against all documents of the batch that are not relevant.

    `-log exp(s_j / T) / (exp(s_j / T) + sum_{k not relevant} exp(s_k / T))`, averaged over the relevant documents of
    a query, then over queries (van den Oord et al. 2018, with judged positives left out of the denominator).

    Args:
        scores: float (..., B, U), cosines.
        relevance: float (B, U), grades; any grade above 0 is relevant.
        temperature: divides the cosines.

    Returns:
        float (...).
    """
    logits = scores / temperature
    relevant = relevance > 0
    others = logits.masked_fill(relevance != 0, -torch.inf).logsumexp(-1)  # (..., B)
    query, document = relevant.nonzero(as_tuple=True)
    per_relevant = functional.softplus(others[..., query] - logits[..., query, document])
    return _mean_over_queries(per_relevant, torch.ones_like(query), query, len(relevance))


def mean_squared_error(scores: Tensor, relevance: Tensor, temperature: float = 1.0) -> Tensor:
    """Squared distance of the cosine from 1 for relevant pairs and from 0 for the others, both halves weighing equal.

    Args:
        scores: float (..., B, U), cosines.
        relevance: float (B, U), grades; any grade above 0 counts as 1.
        temperature: not used: the target is on the scale of the cosine itself.

    Returns:
        float (...).
    """
    target = (relevance > 0).to(scores.dtype)
    return _balanced((scores - target).square(), relevance)


def cross_entropy(scores: Tensor, relevance: Tensor, temperature: float = 0.05) -> Tensor:
    """Binary cross-entropy of `sigmoid(s / T)` against relevant or not, both halves weighing equal.

    Args:
        scores: float (..., B, U), cosines.
        relevance: float (B, U), grades; any grade above 0 counts as 1.
        temperature: divides the cosines.

    Returns:
        float (...).
    """
    target = (relevance > 0).to(scores.dtype)
    return _balanced(
        functional.binary_cross_entropy_with_logits(scores / temperature, target.expand_as(scores), reduction="none"),
        relevance,
    )


def similarity_loss(frozen: Tensor, compressed: Tensor) -> Tensor:
    """L_unsup: absolute differences between the frozen and the compressed cosines of neighbours.

    `sum_{j in N_K(i)} |cos(e_i, e_j) - cos(e_i[:d], e_j[:d])|`, averaged over i (SMEC, unsupervised loss; the top-k
    loss of Matryoshka-Adaptor).

    Args:
        frozen: float (B, K), cosines in the backbone's space.
        compressed: float (..., B, K), cosines of the same pairs after compression, at each size.

    Returns:
        float (...).
    """
    return (frozen - compressed).abs().sum(-1).mean(-1)


def distillation_loss(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """Divergence of each query's similarity distribution from the teacher's (Hinton et al. 2015, arXiv 1503.02531).

    `KL(softmax(t / T) || softmax(s / T))` over the documents of the batch, averaged over queries.

    Args:
        teacher: float (B, U), cosines of the teacher; no gradient flows into it.
        student: float (..., B, U), cosines of the student.
        temperature: divides both.

    Returns:
        float (...).
    """
    target = torch.log_softmax(teacher.detach() / temperature, dim=-1)
    # Written out, because torch's own takes the logarithm of the target again, which costs more than all the rest.
    behind = target - torch.log_softmax(student / temperature, dim=-1)
    return (target.exp() * behind).sum(-1).mean(-1)


def nt_xent(views: Tensor, temperature: float) -> Tensor:
    """Contrastive loss between views of the same items (NT-Xent, Chen et al. 2020, arXiv 2002.05709).

    `-log exp(s+ / T) / (exp(s+ / T) + sum_- exp(s- / T))` for each ordered pair of views of one item, the negatives
    being all views of all other items; averaged over the pairs. One item alone has nothing to differ from: 0.

    Args:
        views: float (H, N, d), H >= 2 views of N distinct items, of any length.
        temperature: divides the cosines.

    Returns:
        float scalar.
    """
    count, items = views.shape[:2]
    if items < 2:
        return views.sum() * 0
    unit = functional.normalize(views, dim=2).flatten(0, 1)
    logits = unit @ unit.T / temperature
    item = torch.arange(items, device=views.device).repeat(count)
    same = item.unsqueeze(1) == item
    others = logits.masked_fill(same, -torch.inf).logsumexp(1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=views.device)
    positive = logits[same & ~itself].view(len(unit), count - 1)
    return functional.softplus(others.unsqueeze(1) - positive).mean()


SUPERVISED_LOSSES: dict[LossName, Callable[[Tensor, Tensor, float], Tensor]] = {
    "rank": rank_loss,
    "infonce": info_nce,
    "mse": mean_squared_error,
    "cross_entropy": cross_entropy,
    "hinge": hinge_loss,
}
"""The last argument is the temperature, of `hinge` the margin."""


def _ranked_pairs(scores: Tensor, relevance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Set each relevant document j of a query against every document k of the batch.

    Returns:
        The queries of the P relevant documents, int64 (P,); `s_k - s_j`, float (..., P, U); and `y_j - y_k` where that
        is positive and k is not to be ignored, else 0, float (P, U).
    """
    query, better = (relevance > 0).nonzero(as_tuple=True)
    behind = scores[..., query, :] - scores[..., query, better].unsqueeze(-1)
    worse = relevance[query]
    weight = (relevance[query, better].unsqueeze(1) - worse).clamp_min(0) * (worse >= 0)
    return query, behind, weight


def _mean_over_queries(totals: Tensor, counts: Tensor, query: Tensor, queries: int) -> Tensor:
    """Average `totals` (..., P) over the `counts` (P,) of each query, then over the queries in `query` (P,)."""
    numerator = totals.new_zeros(*totals.shape[:-1], queries).index_add(-1, query, totals)
    denominator = totals.new_zeros(queries).index_add(0, query, counts.to(totals.dtype))
    judged = denominator > 0
    return (numerator / denominator.clamp_min(1)).sum(-1) / judged.sum().clamp_min(1)


def _balanced(errors: Tensor, relevance: Tensor) -> Tensor:
    """Mean of the errors (..., B, U) of the relevant pairs plus that of the pairs that are not."""
    relevant, others = (relevance > 0).to(errors.dtype), (relevance == 0).to(errors.dtype)
    halves = [(errors * half).sum((-2, -1)) / half.sum().clamp_min(1) for half in (relevant, others)]
    return torch.stack(halves).sum(0)
