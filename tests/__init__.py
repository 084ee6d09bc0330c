"""Tests of Glean, a file for each module that they test."""
