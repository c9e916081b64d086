"""What the line needs from the outside, as small protocols.

Every implementation, real or fake, passes the same contract tests (``tests/contracts``). All raise
``TryLater`` when the other side is away and ``StopEverything`` when it refuses for good; neither is
repeated in the protocols.
"""
