"""Every benchmark, one after the other: `make bench`."""

import sys

from benchmarks import overhead, pipeline, reader

if __name__ == "__main__":
    sys.exit(max(benchmark.main() for benchmark in (reader, overhead, pipeline)))
