"""From photos and labels to a checked, immutable dataset version."""
