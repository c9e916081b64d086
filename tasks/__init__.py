"""The tasks, one command a stage: ``python -m tasks.describe runs/<batch>/shards/00000``.

Each speaks to whoever started it by its exit code and one JSON object, its last line of output.
"""
