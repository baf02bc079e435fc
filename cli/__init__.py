"""The command `discern`: each part reads its arguments, calls the library or a pipeline, and tells what came of it."""
