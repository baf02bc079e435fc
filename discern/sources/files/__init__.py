"""Files of a source: in a folder, a zip archive or a bucket."""
