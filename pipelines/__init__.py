"""Pipelines: which steps run, in which order. Wiring only; the work is in `discern`, the steps in `steps`."""
