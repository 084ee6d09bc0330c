"""A worker: takes runs from the service's queue on whatever machine it is, one at a time."""
