"""How people and programs ask the device: HTTP, page and command line."""
