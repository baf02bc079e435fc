"""`python -m cli.config_page`: write `docs/configs.md`, every key of a config, from the models that check it."""
