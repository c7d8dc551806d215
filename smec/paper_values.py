"""Numbers that others published, as they are set beside ours in tables and figures; nothing here is measured by us.

All but those that say otherwise are of SMEC, arXiv 2510.12474 (EMNLP 2025 main 1332). Its text was not at hand: they
were read off its figures and tables, curves to within `DIGITISED`. Where we do not know the number of a figure, it is
called by what it shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

Rows = Mapping[str, Mapping[int, float]]
"""By row as the paper names it, then by the number of dimensions."""

PAPER: Final = "arXiv 2510.12474"
DIGITISED: Final = 0.05
"""Error of what was read off a curve of nDCG@10 in %, percentage points."""


@dataclass(frozen=True)
class PaperTable:
    """A table or figure of quality over dimensions.

    Attributes:
        rows: nDCG@10.
        baseline: the row that the others are measured from.
        source: where it is, as a caption says it.
        percent: whether nDCG@10 is given in %, else as a share.
        error: of reading, in the unit of the rows; 0 where the numbers have the digits that they are printed with.
        average: whether it is a mean over datasets, so that only ours over datasets belongs beside it.
    """

    rows: Rows
    baseline: str
    source: str
    percent: bool
    error: float = 0.0
    average: bool = False

    @property
    def reading(self) -> str:
        """How near its numbers are to the printed ones, in words; empty where they have the printed digits."""
        return f"read off to ±{self.error:g}{' percentage points' if self.percent else ''}" if self.error else ""

    def shares(self, row: str) -> dict[int, float]:
        """Return nDCG@10 of a row as a share, 0 to 1, by dimensions."""
        return {size: value / 100 if self.percent else value for size, value in self.rows[row].items()}


# Ablation. The figure names neither its dataset nor its backbone.
ABLATION: Final[Rows] = {
    "MRL": {64: 0.3726, 128: 0.4534, 256: 0.4802, 512: 0.5207},
    "+ SMRL": {64: 0.3808, 128: 0.4621, 256: 0.4895, 512: 0.5283},
    "+ ADS": {64: 0.3765, 128: 0.4583, 256: 0.4863, 512: 0.5254},
    "+ S-XBM": {64: 0.3778, 128: 0.4583, 256: 0.4853, 512: 0.5256},
    "SMEC (all)": {64: 0.4053, 128: 0.4848, 256: 0.5002, 512: 0.5459},
}

# ADS against truncation: kept dimensions -> achievement rate by WARE in %, of ADS and of truncation.
ACHIEVEMENT_RATE: Final[Mapping[int, tuple[float, float]]] = {
    1536: (94.3, 50.3),
    768: (90.1, 32.8),
    256: (83.6, 17.4),
}

# S-XBM: vectors in the memory -> seconds of a forward pass, nDCG@10 as a share. 5000 is what the paper uses.
MEMORY: Final[Mapping[int, tuple[float, float]]] = {
    1000: (0.06, 0.4631),
    2000: (0.08, 0.4652),
    5000: (0.11, 0.4675),
    10000: (0.15, 0.4682),
    15000: (0.21, 0.4689),
}
MEMORY_SIZE: Final = 5000


class Gradient(NamedTuple):
    """Gradients of the rank loss at one epoch, MiniLM (384 dimensions) on BEIR; D/4 is 96."""

    low: float
    """Mean size over the weights of the dimensions [0, D/4)."""
    high: float
    """Mean size over the weights of the dimensions [D/4, D/2)."""
    variance: float
    """Over the weights of the dimensions [0, D/2)."""


# Figure 6: scheme -> epoch. MSE and cross-entropy "give the same picture"; their values were not read.
GRADIENTS: Final[Mapping[str, Mapping[int, Gradient]]] = {
    "smrl": {
        0: Gradient(1.198, 1.054, 8.84e-8),
        10: Gradient(0.063, 0.062, 8.97e-9),
        20: Gradient(0.024, 0.026, 1.48e-9),
        30: Gradient(0.015, 0.013, 5.78e-10),
    },
    "mrl": {
        0: Gradient(3.666, 1.188, 3.07e-7),
        10: Gradient(0.184, 0.062, 2.27e-8),
        20: Gradient(0.081, 0.025, 4.93e-9),
        30: Gradient(0.038, 0.013, 1.87e-9),
    },
}
# The least and the greatest of these ratios over all epochs and the three losses.
GRADIENT_VARIANCE_RATIO: Final = (2.2, 5.4)  # MRL's variance over SMRL's
GRADIENT_HALF_RATIO: Final[Mapping[str, tuple[float, float]]] = {"mrl": (2.0, 3.2), "smrl": (0.9, 1.15)}  # low / high

# Training loss: scheme -> epoch, of 40 epochs.
LOSS: Final[Mapping[str, Mapping[int, float]]] = {
    "mrl": {0: 0.101, 5: 0.073, 10: 0.063, 20: 0.059, 40: 0.056},
    "smrl": {0: 0.090, 5: 0.059, 10: 0.052, 20: 0.049, 40: 0.047},
}
EPOCHS: Final = 40
# SMRL "near epoch 15", MRL "after 20".
EPOCHS_TO_CONVERGENCE: Final[Mapping[str, int]] = {"smrl": 15, "mrl": 20}

# Quality over dimensions, nDCG@10 in % (Quora: as a share).
BEIR_OPENAI: Final[Rows] = {
    "original (MRL)": {128: 49.3, 256: 53.9, 512: 55.5, 768: 56.1, 1536: 56.6, 3072: 57.0},
    "Search-Adaptor": {128: 51.6, 256: 57.1, 512: 59.3, 768: 60.1, 1536: 61.0, 3072: 61.3},
    "Matryoshka-Adaptor": {128: 54.6, 256: 58.4, 512: 59.8, 768: 60.6, 1536: 61.4, 3072: 61.8},
    "SMEC": {128: 56.7, 256: 59.4, 512: 60.4, 768: 61.0, 1536: 61.6, 3072: 61.9},
}
BEIR_LLM2VEC: Final[Rows] = {
    "PCA": {128: 31.2, 256: 40.7, 512: 46.4, 768: 50.7, 1536: 53.5, 3584: 55.5},
    "Search-Adaptor": {128: 51.1, 256: 56.3, 512: 58.6, 768: 59.4, 1536: 60.1, 3584: 60.8},
    "Matryoshka-Adaptor": {128: 53.8, 256: 57.9, 512: 59.6, 768: 60.0, 1536: 61.0, 3584: 61.5},
    "SMEC": {128: 55.7, 256: 59.0, 512: 60.2, 768: 60.6, 1536: 61.3, 3584: 61.5},
}
PRODUCTS10K: Final[Rows] = {
    "PCA": {128: 40.1, 256: 46.0, 512: 47.3, 768: 48.1, 1024: 48.6},
    "Search-Adaptor": {128: 46.5, 256: 49.7, 512: 51.5, 768: 52.1, 1024: 52.5},
    "Matryoshka-Adaptor": {128: 48.9, 256: 50.3, 512: 51.9, 768: 52.5, 1024: 52.9},
    "SMEC": {128: 49.8, 256: 51.2, 512: 52.1, 768: 52.6, 1024: 52.9},
}
FASHION200K_TEXT_TO_IMAGE: Final[Rows] = {
    "PCA": {128: 13.5, 256: 16.4, 384: 17.9, 512: 18.4, 768: 18.8},
    "Search-Adaptor": {128: 19.3, 256: 20.6, 384: 21.9, 512: 22.6, 768: 23.2},
    "Matryoshka-Adaptor": {128: 22.0, 256: 22.8, 384: 23.5, 512: 23.9, 768: 24.2},
    "SMEC": {128: 22.7, 256: 23.4, 384: 23.8, 512: 24.1, 768: 24.4},
}
FASHION200K_IMAGE_TO_TEXT: Final[Rows] = {
    "PCA": {128: 13.2, 256: 15.1, 384: 16.3, 512: 17.5, 768: 18.0},
    "Search-Adaptor": {128: 18.1, 256: 19.2, 384: 20.6, 512: 21.8, 768: 22.6},
    "Matryoshka-Adaptor": {128: 21.9, 256: 22.1, 384: 22.7, 512: 23.3, 768: 23.8},
    "SMEC": {128: 22.5, 256: 22.7, 384: 23.1, 512: 23.5, 768: 23.8},
}
QUORA: Final[Rows] = {
    "LLM2Vec-7B": {128: 0.568, 256: 0.648, 512: 0.707, 1024: 0.757, 1536: 0.790, 3584: 0.802},
    "LLM2Vec-7B with SMEC": {128: 0.772, 256: 0.803, 512: 0.832, 1024: 0.844, 1536: 0.852, 3584: 0.862},
    "LLM2Vec-1B": {128: 0.492, 256: 0.576, 512: 0.635, 1024: 0.684, 1536: 0.715},
    "LLM2Vec-1B with SMEC": {128: 0.718, 256: 0.743, 512: 0.770, 1024: 0.784, 1536: 0.793},
}
# Claims of figure 1: how many times smaller without loss.
LOSSLESS: Final[Mapping[str, int]] = {"LLM2Vec-7B": 14, "LLM2Vec-1B": 12}
# Claims of the abstract: SMEC at 256 dimensions over the rivals, LLM2Vec-7B, BEIR average, percentage points.
MARGINS_AT_256: Final[Mapping[str, float]] = {"Matryoshka-Adaptor": 1.1, "Search-Adaptor": 2.7}

# Not of the paper: public reruns by third parties with all-MiniLM-L6-v2, nDCG@10 as a share.
SCIFACT_MATRYOSHKA_ADAPTOR: Final[Rows] = {
    "truncated": {64: 0.484, 128: 0.602, 256: 0.635, 384: 0.645},
    "unsupervised": {64: 0.528, 128: 0.604, 256: 0.630, 384: 0.640},
    "supervised": {64: 0.561, 128: 0.650, 256: 0.658, 384: 0.663},
}
# SMEC's parts without labels, then PCA, at 128 dimensions.
LABEL_FREE_AT_128: Final[Mapping[str, tuple[float, float]]] = {
    "arguana": (0.478, 0.490),
    "fiqa": (0.319, 0.343),
    "quora": (0.865, 0.860),
}

# DIVE (arXiv 2605.20689): the methods, as we call them, that it says fall below the frozen baseline with few labels.
FALLING_WITH_FEW_LABELS: Final = ("search_adaptor", "matryoshka_adaptor", "smec")

TABLES: Final[Mapping[str, PaperTable]] = {
    "ablation": PaperTable(ABLATION, "MRL", f"the ablation of {PAPER} (dataset and backbone not named)", percent=False),
    "beir_openai": PaperTable(
        BEIR_OPENAI,
        "original (MRL)",
        f"{PAPER}, BEIR average, text-embedding-3-large",
        percent=True,
        error=DIGITISED,
        average=True,
    ),
    "beir_llm2vec": PaperTable(
        BEIR_LLM2VEC, "PCA", f"{PAPER}, BEIR average, LLM2Vec-7B", percent=True, error=DIGITISED, average=True
    ),
    "products10k": PaperTable(PRODUCTS10K, "PCA", f"{PAPER}, Products-10K, LLM2CLIP", percent=True, error=DIGITISED),
    "fashion200k_text_to_image": PaperTable(
        FASHION200K_TEXT_TO_IMAGE,
        "PCA",
        f"{PAPER}, Fashion-200K, text to image, LLM2CLIP",
        percent=True,
        error=DIGITISED,
    ),
    "fashion200k_image_to_text": PaperTable(
        FASHION200K_IMAGE_TO_TEXT,
        "PCA",
        f"{PAPER}, Fashion-200K, image to text, LLM2CLIP",
        percent=True,
        error=DIGITISED,
    ),
    "quora": PaperTable(QUORA, "LLM2Vec-7B", f"figure 1 of {PAPER}, Quora", percent=False),
    "scifact_matryoshka_adaptor": PaperTable(
        SCIFACT_MATRYOSHKA_ADAPTOR,
        "truncated",
        "a public rerun of arXiv 2407.20243, SciFact, all-MiniLM-L6-v2",
        percent=False,
    ),
}
"""What a study or a view can name as `paper`."""

RUNS: Final[Mapping[str, str]] = {
    "original (MRL)": "truncation",
    "PCA": "pca",
    "Search-Adaptor": "search_adaptor",
    "Matryoshka-Adaptor": "matryoshka_adaptor",
    "SMEC": "smec",
}
"""Rows of curves that are a method of ours, by the paper's name: they are drawn alike."""
