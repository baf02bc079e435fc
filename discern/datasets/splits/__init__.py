"""The split of the photos: those that train, those that calibrate and those that test."""
