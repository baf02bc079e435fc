"""Stacks: one declarative file each, and the command that applies them (`python -m stacks apply`)."""
