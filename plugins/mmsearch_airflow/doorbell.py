"""Rings when messages wait in the queue of changes.

3.3.2 loses events of an asset that come while a run is being made, and all of them while the DAG is
paused. So a ring says nothing but "come": it carries no message, and it is repeated while messages
wait.
"""

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from mmsearch_airflow.launcher import Launcher

STOP = 78  # a person must act
PAUSES = {STOP: 300.0}  # seconds until somebody listens again, by the exit code of who listened
PAUSE = 15.0


class Doorbell(BaseEventTrigger):  # type: ignore[misc]
    """One event for each line that `python -m tasks._doorbell` prints; begun again when it ends.
    The queue is asked in the stages' own environment, which is the one that has the libraries and
    the settings."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """One doorbell for all."""
        return ("mmsearch_airflow.doorbell.Doorbell", {})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ring for ever: a queue that is away, or not there yet, only pauses it."""
        while True:
            launcher = Launcher.from_environment()
            process = await asyncio.create_subprocess_exec(
                *launcher.command("_doorbell"),
                cwd=launcher.home,
                env=launcher.environment(),
                stdin=DEVNULL,
                stdout=PIPE,
                start_new_session=True,
            )
            assert process.stdout is not None
            try:
                async for line in process.stdout:
                    yield TriggerEvent(json.loads(line))
                code = await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()  # its keeper ends the rest
            self.log.warning(
                "Nobody listens to the queue of changes (exit code %s): trying again.", code
            )
            await asyncio.sleep(PAUSES.get(code, PAUSE))
