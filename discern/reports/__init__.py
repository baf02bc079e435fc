"""HTML pages and pictures for people."""
