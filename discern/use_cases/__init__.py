"""Look at a person's photos and propose the three configs of a use case.

`layout` recognises how the photos are laid out, `look` reads them all once, `speed` measures this machine, `proposal`
decides (pure: facts in, settings out), `config_text` and `config_files` write the settings down with comments.
"""
