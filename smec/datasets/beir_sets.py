"""The public sets of BEIR: name, checksum of the archive, size, and how it is split, as BEIR's own table lists them.

Sources: the table in the README of beir-cellar/beir (md5, numbers of documents and of queries that are scored); for the
sub-forums, the folders of the archive itself.
"""

from dataclasses import dataclass

FORUMS = (
    "android",
    "english",
    "gaming",
    "gis",
    "mathematica",
    "physics",
    "programmers",
    "stats",
    "tex",
    "unix",
    "webmasters",
    "wordpress",
)
"""CQADupStack's parts. BEIR scores each by itself and reports the mean of the twelve as one set."""


@dataclass(frozen=True)
class BeirSet:
    """What is published about a set.

    Attributes:
        md5: of the archive NAME.zip.
        documents: rounded as in BEIR's table.
        queries: that BEIR scores.
        scored: name of the file of judgements that BEIR scores; its queries are the test split.
        subsets: folders inside the archive, for a set that consists of several.
    """

    md5: str
    documents: int
    queries: int
    scored: str = "test"
    subsets: tuple[str, ...] = ()


SETS = {
    "arguana": BeirSet("8ad3e3c2a5867cdced806d6503f29b99", 8_670, 1_406),
    "climate-fever": BeirSet("8b66f0a9126c521bae2bde127b4dc99d", 5_420_000, 1_535),
    "cqadupstack": BeirSet("4e41456d7df8ee7760a7f866133bda78", 457_000, 13_145, subsets=FORUMS),
    "dbpedia-entity": BeirSet("c2a39eb420a3164af735795df012ac2c", 4_630_000, 400),
    "fever": BeirSet("5a818580227bfb4b35bb6fa46d9b6c03", 5_420_000, 6_666),
    "fiqa": BeirSet("17918ed23cd04fb15047f73e6c3bd9d9", 57_000, 648),
    "hotpotqa": BeirSet("f412724f78b0d91183a0e86805e16114", 5_230_000, 7_405),
    "msmarco": BeirSet("444067daf65d982533ea17ebd59501e4", 8_840_000, 6_980, scored="dev"),
    "nfcorpus": BeirSet("a89dba18a62ef92f7d323ec890a0d38d", 3_600, 323),
    "nq": BeirSet("d4d3d2e48787a744b6f6e691ff534307", 2_680_000, 3_452),
    "quora": BeirSet("18fb154900ba42a600f84b839c173167", 523_000, 10_000),
    "scidocs": BeirSet("38121350fc3a4d2f48850f6aff52e4a9", 25_000, 1_000),
    "scifact": BeirSet("5f7d1de60b170fc8027bb7898e2efca1", 5_000, 300),
    "trec-covid": BeirSet("ce62140cb23feb9becf6270d0d1fe6d1", 171_000, 50),
    "webis-touche2020": BeirSet("46f650ba5a527fc69e0a6521c5a23563", 382_000, 49),
}

THIRTEEN = tuple(name for name in SETS if name not in ("cqadupstack", "msmarco"))
"""The 13 sets that a mean over "BEIR, 13 sets" usually is over: all public ones but MS MARCO, which most models are
trained on, and CQADupStack. The paper does not list its 13."""
