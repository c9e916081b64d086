"""embed_text: what is known of a segment in words becomes passages with their SBERT vectors."""

from tasks._command import stage_command

if __name__ == "__main__":
    stage_command(__doc__, "embed_text")
