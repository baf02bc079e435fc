"""Photos with boxes in COCO's JSON."""
