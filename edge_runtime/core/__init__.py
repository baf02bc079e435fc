"""What is evaluated is what ships: release format, preprocessing, embedding, search and decision."""
