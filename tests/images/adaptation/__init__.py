"""Tests of clients whose network isn't the run's."""
