"""Steps: each loads, calls `discern`, logs and returns. A folder a pipeline."""
