"""Photos with boxes in Pascal VOC's XML files."""
