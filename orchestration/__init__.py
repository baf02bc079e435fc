"""The ZenML adapter: checked pipelines, artifact look-up, cache keys, materializers, tracking."""

from orchestration.moved_classes import install

install()
