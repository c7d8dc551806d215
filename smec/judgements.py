"""Relevance judgements as arrays: which corpus rows are relevant to which query rows, and how much."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Judgements:
    """Judgements of `n` queries in compressed sparse row form; documents ascend within a run.

    Each query has a run of documents. Where judgements are by class, all queries of a class share one run, and a query
    that is a document itself is left out of its own: thousands of images of a class then take thousands of numbers, and
    not their square.

    Attributes:
        query_rows: int64 (n,), rows of the judged queries in `queries.parquet` and in the query store, ascending.
        offsets: int64 (r + 1,); the documents of run i are at `offsets[i]:offsets[i + 1]`.
        corpus_rows: int64 (m,), rows of the documents in `corpus.parquet` and in the corpus store.
        relevance: float32 (m,), trec_eval grades; 0 means judged and not relevant.
        run: int64 (n,), the run of each query; None: query i has run i.
        own: int64 (n,), a row of its run that is not judged for the query, because it is the query; -1 for none; None:
            none at all.
    """

    query_rows: Rows
    offsets: Rows
    corpus_rows: Rows
    relevance: NDArray[np.float32]
    run: Rows | None = None
    own: Rows | None = None

    def __len__(self) -> int:
        return len(self.query_rows)

    @property
    def runs(self) -> Rows:
        """The run of each query, int64 (n,)."""
        return np.arange(len(self)) if self.run is None else self.run

    @property
    def starts(self) -> Rows:
        """Where the run of each query begins, int64 (n,)."""
        return self.offsets[self.runs]

    @property
    def stops(self) -> Rows:
        """Where it ends, int64 (n,)."""
        return self.offsets[self.runs + 1]

    @property
    def counts(self) -> Rows:
        """Judged documents of each query, int64 (n,)."""
        found = self.stops - self.starts
        return found if self.own is None else found - (self.own >= 0)

    @property
    def own_places(self) -> Rows:
        """Where the row that each query is lies in `corpus_rows`, int64 (n,); m for none."""
        if self.own is None:
            return np.full(len(self), len(self.corpus_rows))
        span = 1 + int(max(self.corpus_rows.max(initial=0), self.own.max(initial=0)))
        places = np.searchsorted(self.keys(span), self.runs * span + np.maximum(self.own, 0))
        return np.where(self.own >= 0, places, len(self.corpus_rows)).astype(np.int64)

    @staticmethod
    def from_triples(queries: NDArray[Any], documents: NDArray[Any], relevance: NDArray[Any]) -> "Judgements":
        """Build from three parallel arrays (nnz,) of query rows, corpus rows and grades, in any order."""
        order = np.lexsort((documents, queries))
        rows, counts = np.unique(queries, return_counts=True)
        return Judgements(
            query_rows=rows.astype(np.int64),
            offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            corpus_rows=np.asarray(documents, dtype=np.int64)[order],
            relevance=np.asarray(relevance, dtype=np.float32)[order],
        )

    @staticmethod
    def from_groups(
        query_rows: Rows, query_groups: Rows, own: Rows, groups: Rows, documents: Rows, relevance: NDArray[Any]
    ) -> "Judgements":
        """Build judgements by class.

        Args:
            query_rows: int64 (n,), ascending.
            query_groups: int64 (n,), the class of each query, from 0.
            own: int64 (n,), the corpus row that the query is, -1 for none.
            groups: int64 (m,), classes of the judged documents, in any order.
            documents: int64 (m,), their corpus rows.
            relevance: (m,), their grades.

        Returns:
            Judgements of the queries that have a judged document besides themselves.
        """
        asked, run = np.unique(query_groups, return_inverse=True)
        wanted = np.isin(groups, asked)
        of, documents, relevance = np.searchsorted(asked, groups[wanted]), documents[wanted], relevance[wanted]
        order = np.lexsort((documents, of))
        offsets = np.concatenate(([0], np.cumsum(np.bincount(of, minlength=len(asked))))).astype(np.int64)
        rows, grades = documents[order].astype(np.int64), np.asarray(relevance, dtype=np.float32)[order]
        found = Judgements(query_rows.astype(np.int64), offsets, rows, grades, run.astype(np.int64))
        own = np.where(found.grades_of(own[:, None], -1.0)[:, 0] >= 0, own, -1)
        found = replace(found, own=own)
        return found.select(np.flatnonzero(found.counts > 0))

    def keys(self, span: int) -> Rows:
        """Return `run * span + corpus row` of every judgement, int64 (m,), ascending; `span` exceeds all rows."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets)) * span + self.corpus_rows

    def grades_of(self, documents: Rows, unjudged: float = 0.0) -> NDArray[np.float32]:
        """Return the grades of corpus rows (n, k), float32, for the query of each line.

        Args:
            documents: int64 (n, k); -1 for none.
            unjudged: what is said of a document that is not judged for the query.
        """
        if not len(self.corpus_rows):
            return np.full(documents.shape, unjudged, dtype=np.float32)
        span = 1 + int(max(self.corpus_rows.max(), documents.max(initial=0)))
        keys, wanted = self.keys(span), self.runs[:, None] * span + documents
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        judged = (keys[place] == wanted) & (documents >= 0)
        if self.own is not None:
            judged &= documents != self.own[:, None]
        return np.where(judged, self.relevance[place], np.float32(unjudged))

    def positives(self) -> "Judgements":
        """Return the judgements with a grade above 0; queries without any are dropped."""
        keep = self.relevance > 0
        if keep.all():
            return self
        kept = np.concatenate(([0], np.cumsum(keep)))[self.offsets]
        places = np.minimum(self.own_places, len(keep) - 1)
        own = None if self.own is None else np.where((self.own >= 0) & keep[places], self.own, -1)
        found = replace(
            self,
            offsets=kept.astype(np.int64),
            corpus_rows=self.corpus_rows[keep],
            relevance=self.relevance[keep],
            own=own,
        )
        return found.select(np.flatnonzero(found.counts > 0))

    def first(self) -> Rows:
        """Return the first judged row of each query, int64 (n,); each must have one."""
        rows: Rows = self.corpus_rows[self.starts + (self.own_places == self.starts)]
        return rows

    def select(self, places: Rows) -> "Judgements":
        """Return the judgements of the queries at `places`, int64 (k,), in that order, with their rows."""
        if self.run is not None:
            own = None if self.own is None else self.own[places]
            return replace(self, query_rows=self.query_rows[places], run=self.run[places], own=own)
        counts = self.counts[places]
        offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        owner = np.repeat(np.arange(len(places)), counts)
        kept = np.arange(len(owner)) - offsets[owner] + self.offsets[places][owner]
        return Judgements(self.query_rows[places], offsets, self.corpus_rows[kept], self.relevance[kept])

    def take(self, places: Rows) -> "Judgements":
        """Return the judgements of the queries at `places`, int64 (k,), in that order, renumbered 0 ... k - 1."""
        return replace(self.select(places), query_rows=np.arange(len(places), dtype=np.int64))

    def compact(self) -> "Judgements":
        """Return the same judgements without the runs that no query has."""
        if self.run is None:
            return self
        asked, run = np.unique(self.run, return_inverse=True)
        of_runs = replace(self, query_rows=np.arange(len(self.offsets) - 1), run=None, own=None).select(asked)
        return replace(of_runs, query_rows=self.query_rows, run=run.astype(np.int64), own=self.own)

    def expanded(self) -> "Judgements":
        """Return the same judgements with a run for each query: as many numbers as there are judged pairs."""
        if self.run is None:
            return self
        lengths = self.stops - self.starts
        owner = np.repeat(np.arange(len(self)), lengths)
        first = np.cumsum(lengths) - lengths
        place = np.arange(len(owner)) - first[owner] + self.starts[owner]
        kept = place != self.own_places[owner]
        offsets = np.concatenate(([0], np.cumsum(self.counts))).astype(np.int64)
        place = place[kept]
        return Judgements(self.query_rows, offsets, self.corpus_rows[place], self.relevance[place])

    def blocks(self, most: int) -> Iterator["Judgements"]:
        """Yield all judgements, each with a run of its own, in blocks of queries with about `most` pairs."""
        block = (np.cumsum(self.counts) - 1) // most
        for places in np.split(np.arange(len(self)), np.flatnonzero(np.diff(block)) + 1):
            yield self.select(places).expanded()

    @staticmethod
    def joined(parts: Sequence["Judgements"], starts: Sequence[int]) -> "Judgements":
        """Return the judgements of all parts, whose queries are renumbered from 0.

        Args:
            parts: one after another.
            starts: what is added to the corpus rows of each part.
        """
        ends = np.cumsum([0, *(part.offsets[-1] for part in parts)])
        runs = np.cumsum([0, *(len(part.offsets) - 1 for part in parts)])
        shared = any(part.run is not None for part in parts)
        shifted = [
            np.full(len(part), -1) if part.own is None else np.where(part.own >= 0, part.own + start, -1)
            for part, start in zip(parts, starts, strict=True)
        ]
        return Judgements(
            query_rows=np.arange(sum(len(part) for part in parts), dtype=np.int64),
            offsets=np.concatenate([[0], *(part.offsets[1:] + end for part, end in zip(parts, ends, strict=False))]),
            corpus_rows=np.concatenate([part.corpus_rows + start for part, start in zip(parts, starts, strict=True)]),
            relevance=np.concatenate([part.relevance for part in parts]),
            run=np.concatenate([part.runs + r for part, r in zip(parts, runs, strict=False)]) if shared else None,
            own=np.concatenate(shifted) if shared else None,
        )
