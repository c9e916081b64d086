"""read_tables: the tables of a document's pages become cells."""

from tasks._command import stage_command

if __name__ == "__main__":
    stage_command(__doc__, "read_tables")
