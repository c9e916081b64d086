"""describe: Qwen3-VL says what is seen in a segment."""

from tasks._command import stage_command

if __name__ == "__main__":
    stage_command(__doc__, "describe")
