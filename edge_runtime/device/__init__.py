"""What a device keeps: its home on disk, and updates of its release."""
