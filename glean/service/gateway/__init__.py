"""The bakeries' way to the SuperLink: an exact list of calls, signed by members."""
