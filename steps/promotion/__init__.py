"""Steps of the promotion pipeline."""
