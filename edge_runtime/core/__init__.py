"""Release format, preprocessing, embedding, search and decision, shared by evaluation and the device."""
