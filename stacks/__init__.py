"""Stacks: one declarative file each, and the command that applies them (`discern stack apply`)."""
