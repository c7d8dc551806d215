"""The embed step against a plain `SentenceTransformer.encode` on the same texts: `python -m benchmarks encode`.

Both use one loaded model, batches of 32 and the threads that OMP_NUM_THREADS gives. Ours includes reading the texts,
unit length, checksums and writing the store.
"""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import Comparison, compare, want_ratio
from smec import backbones
from smec.backbones.sentence_transformer import SentenceTransformerBackbone, SentenceTransformerSettings
from smec.datasets import pydocs, reading
from smec.embedding import fill
from smec.store_writer import StoreWriter


def measure(toy: bool = False) -> list[Comparison]:
    """Compare on documents of pydocs."""
    texts, rounds = (8, 1) if toy else (384, 5)
    backbone = backbones.load(SentenceTransformerSettings())
    assert isinstance(backbone, SentenceTransformerBackbone)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = pydocs.load(pydocs.PydocsSettings(max_documents=texts, packages=()), folder).corpus
        pq.write_table(pa.table(corpus), folder / "corpus.parquet")
        sentences = corpus["text"].to_pylist()
        ours = (f"smec embed, {texts} documents", lambda: embed_once(backbone, folder, texts))
        encode = "SentenceTransformer.encode"
        peer = (encode, lambda: backbone.model.encode(sentences, batch_size=32, normalize_embeddings=True))
        return want_ratio(compare(ours, [peer], rounds), 1.1)


def embed_once(backbone: SentenceTransformerBackbone, folder: Path, shard_rows: int) -> None:
    """Encode the corpus in `folder` into a new store."""
    rows = backbone.rows(folder, "corpus")
    with tempfile.TemporaryDirectory() as store:
        writer = StoreWriter(Path(store), {"role": "corpus"}, reading.count(folder, "corpus"), rows.dim, shard_rows)
        fill(writer, rows, lambda start, stop: reading.ids(folder, "corpus", start, stop))
