"""retrieve: a standard query becomes the products worth judging, from CLIP, SBERT and BM25 legs
fused by rank."""

from tasks._command import stage_command

if __name__ == "__main__":
    stage_command(__doc__, "retrieve")
