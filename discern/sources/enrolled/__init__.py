"""What was enrolled into releases without training, as a source of the next dataset version."""
