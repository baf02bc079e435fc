"""Where photos and labels come from: one module or folder a kind of source. `registry` opens any of them."""
