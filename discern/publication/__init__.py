"""The signed repository of releases (The Update Framework): keys, metadata, storage. It knows no torch."""
