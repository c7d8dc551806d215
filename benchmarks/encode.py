"""Speed of the embed step against a plain `SentenceTransformer.encode` on the same texts, in one run.

    python benchmarks/encode.py [--texts 384] [--repeats 5]

Both use one loaded model, batches of 32 and the threads that OMP_NUM_THREADS gives; they take turns, and each round
starts with the other one. Ours includes reading the texts, unit length, checksums and writing the store. Prints the
median seconds of each and the median of the rounds' ratios (below 1.1 is the target).
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from smec import backbones
from smec.backbones.sentence_transformer import SentenceTransformerBackbone, SentenceTransformerSettings
from smec.datasets import pydocs, reading
from smec.embedding import fill
from smec.store_writer import StoreWriter


def seconds(action: Callable[[], object]) -> float:
    """Return how long `action` takes, in seconds."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def embed_once(backbone: SentenceTransformerBackbone, folder: Path, shard_rows: int) -> None:
    """Encode the corpus in `folder` into a new store."""
    rows = backbone.rows(folder, "corpus")
    with tempfile.TemporaryDirectory() as store:
        writer = StoreWriter(Path(store), {"role": "corpus"}, reading.count(folder, "corpus"), rows.dim, shard_rows)
        fill(writer, rows, lambda start, stop: reading.ids(folder, "corpus", start, stop))


def measure(folder: Path, texts: int, repeats: int) -> tuple[float, float, float]:
    """Return median seconds of ours and of the peer, and the median ratio, over `repeats` rounds."""
    settings = SentenceTransformerSettings()
    backbone = backbones.load(settings)
    assert isinstance(backbone, SentenceTransformerBackbone)
    corpus = pydocs.load(pydocs.PydocsSettings(max_documents=texts, packages=()), folder).corpus
    pq.write_table(pa.table(corpus), folder / "corpus.parquet")
    sentences = corpus["text"].to_pylist()

    def ours() -> float:
        return seconds(lambda: embed_once(backbone, folder, texts))

    def peer() -> float:
        return seconds(lambda: backbone.model.encode(sentences, batch_size=32, normalize_embeddings=True))

    ours(), peer()
    rounds = [(ours(), peer()) if i % 2 else (peer(), ours())[::-1] for i in range(repeats)]
    ratios = [mine / other for mine, other in rounds]
    return (
        statistics.median(mine for mine, _ in rounds),
        statistics.median(other for _, other in rounds),
        statistics.median(ratios),
    )


def main() -> None:
    """Parse the arguments, measure and print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--texts", type=int, default=384, help="documents of pydocs to encode")
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mine, other, ratio = measure(Path(folder), arguments.texts, arguments.repeats)
    sys.stdout.write(
        f"embed {mine:.2f} s, SentenceTransformer.encode {other:.2f} s, ratio {ratio:.3f} ({arguments.texts} texts)\n"
    )


if __name__ == "__main__":
    main()
