"""The benchmarks behind the figures of `docs/results.md`: each prints a table and writes `results/NAME.json`."""
