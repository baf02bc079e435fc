"""Photos with boxes in YOLO's text files."""
