"""Writing files and folders whole or not at all, locally and in a bucket."""
