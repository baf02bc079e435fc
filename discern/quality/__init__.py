"""Is a dataset version fit to train on? Checks, and the page on which people review it."""
