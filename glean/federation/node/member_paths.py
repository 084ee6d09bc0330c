"""Paths between a bakery and `glean serve --public` beside Flower's own: both sides go by these."""

from __future__ import annotations

AUTHORITY = "/join/ca.crt"
REGISTRATION = "/join"
MEMBERSHIP = "/v1/members/self"
KEY_LOG = "/v1/members/key-log"
LEAVE = "/v1/members/leave"
FLEET_CALLS = "/v1/members/fleet-calls"
"""Several of Flower's calls in one request (`call_batch.py`)."""

RELEASE_HEADER = "x-glean-release"
"""Header of the answer to `AUTHORITY`: version of Glean that the server's runs have."""
