"""Which photos train, which calibrate and which test."""
