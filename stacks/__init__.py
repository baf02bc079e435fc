"""Stacks: one declarative file each, and the command that applies them (`python -m cli.stacks apply`)."""
