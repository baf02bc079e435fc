"""The benchmarks behind the README's figures: each prints a table and writes `results/NAME.json`."""
