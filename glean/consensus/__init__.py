"""Who coordinates, and what a majority has stored: Raft's election over one whole state."""
