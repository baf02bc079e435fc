"""The examination of a stack before any work is spent (`discern stack doctor`): checks return findings, none prints."""
