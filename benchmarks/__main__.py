"""Every benchmark, one after the other: `make bench`."""

import sys

from benchmarks import memory, models, overhead, pipeline, reader

if __name__ == "__main__":
    sys.exit(max(benchmark.main() for benchmark in (reader, models, overhead, memory, pipeline)))
