"""embed_image: a segment's pixels become a CLIP vector."""

from tasks._command import stage_command

if __name__ == "__main__":
    stage_command(__doc__, "embed_image")
