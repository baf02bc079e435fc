"""Photos from elsewhere: of things that no class is of, so that `unknown` is the right answer to them."""
