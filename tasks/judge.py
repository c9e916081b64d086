"""judge: Qwen3-VL holds each candidate's picture and description against the query."""

from tasks._command import stage_command

if __name__ == "__main__":
    stage_command(__doc__, "judge")
