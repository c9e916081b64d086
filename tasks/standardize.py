"""standardize: a popular query becomes canonical wording, keywords in every language, and hard
constraints."""

from tasks._command import stage_command

if __name__ == "__main__":
    stage_command(__doc__, "standardize")
