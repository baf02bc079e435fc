"""Photos with boxes or labels in Label Studio's JSON."""
