"""`python -m benchmarks [names]`: time against named peers and write results/benchmarks/benchmarks.{csv,md}.

Without names: all of search, encode, images, memory_step, wide_memory, pca, ware, scale, startup, overhead. A row
replaces the row of an earlier run of the same comparison on the same number of threads. Set OMP_NUM_THREADS to say how
many cores the libraries may use.
"""

import argparse
import importlib
import sys

from benchmarks.common import FOLDER, record

NAMES = ("search", "encode", "images", "memory_step", "wide_memory", "pca", "ware", "scale", "startup", "overhead")


def main(arguments: list[str]) -> None:
    """Run the named benchmarks one by one and print and keep what each finds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="name", help=", ".join(NAMES))
    names = parser.parse_args(arguments).names or NAMES
    for name in names:
        rows = importlib.import_module(f"benchmarks.{name}").measure()
        print(record("benchmarks", rows) if rows else f"{name}: nothing to measure yet, run the workflow first")
    print(f"\nwritten to {FOLDER / 'benchmarks.md'}")


if __name__ == "__main__":
    main(sys.argv[1:])
