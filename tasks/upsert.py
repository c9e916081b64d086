"""upsert: rows of new builds go into the index beside the old ones, are committed, and take their
place."""

from tasks._command import stage_command

if __name__ == "__main__":
    stage_command(__doc__, "upsert")
