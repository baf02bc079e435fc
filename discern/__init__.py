"""The library: data, learning, evaluation and releases. It knows no ZenML."""
