"""Peers without a server between them: messages that are signed, sealed and passed on.

A peer knows others by a `PeerDirectory`: their keys, their addresses, who is connected with whom.
"""
