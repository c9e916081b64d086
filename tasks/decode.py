"""decode: an asset's bytes become segments with normalised pixels."""

from tasks._command import stage_command

if __name__ == "__main__":
    stage_command(__doc__, "decode")
