"""Building, signing, publishing and rolling back releases."""
