"""A device's home on disk, and the updates of its release."""
