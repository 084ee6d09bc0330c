"""What grids of Glean's own have in common: the run that they serve, and how a message is made."""

from __future__ import annotations

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from glean.federation.grids.flower_internals import Run, empty_run


class RunGrid(Grid):
    """A grid of one run.

    Parameters
    ----------
    run_id : int
        Number of the run, for messages.
    """

    def __init__(self, run_id: int) -> None:
        self._run = empty_run(run_id)

    def set_run(self, run: Run) -> None:
        """Set the run that messages belong to."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run that messages belong to."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Make a message to a node."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)
