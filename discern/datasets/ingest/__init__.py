"""From the photos of a source to a dataset version: read, measured, cleaned, split, stored."""
