"""Sources of photos and labels: one module or folder a kind of source. `registry` opens any of them."""
