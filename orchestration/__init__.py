"""The ZenML adapter: checked pipelines, artifact look-up, cache keys, materializers, tracking."""
