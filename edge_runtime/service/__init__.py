"""The ways for people and programs to ask the device: HTTP, page and command line."""
