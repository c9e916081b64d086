"""upsert: the rows of new builds go into the index beside the old ones, one ledger commit makes
them live, then the"""

from tasks._command import stage_command

if __name__ == "__main__":
    stage_command(__doc__, "upsert")
