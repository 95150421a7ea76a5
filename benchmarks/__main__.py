"""Every benchmark, one after the other: `make bench`."""

import sys

from benchmarks import models, overhead, pipeline, reader

if __name__ == "__main__":
    sys.exit(max(benchmark.main() for benchmark in (reader, models, overhead, pipeline)))
