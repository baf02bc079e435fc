"""The dataset version: its manifest, its shards, how it is made and how two differ."""
