"""Photos with boxes in CVAT's own XML."""
