"""Secrets taken out of texts before anybody reads them: logs, answers about health, errors."""

from __future__ import annotations

import re

HIDDEN = "***"
"""What stands where a secret was, as SQLAlchemy writes it."""

_RULES = (
    # The password of a URL, up to the last @: people forget to escape one.
    (
        re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@\"']*):[^\s\"'<>]*@", re.IGNORECASE),
        rf"\1:{HIDDEN}@",
    ),
    # A token of the service's: the prefix tells which, as on the page of tokens.
    (re.compile(r"\b(glean_\w{8})_[\w-]+"), rf"\1_{HIDDEN}"),
    # An invitation's code.
    (re.compile(r"(/join#\d+\.)[\w-]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(Bearer|Basic)\s+(?!\S*\.\.\.)[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # As parameters of URLs, environments and the reprs of options have them.
    (
        re.compile(
            r"([\w-]*(?:password|passwd|passphrase|secret|token|access[_-]?key|api[_-]?key)[\w-]*"
            r"(?:\s*=|[\"']\s*:)\s*[\"']?)[^\s\"'&;,)}\]]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
)


def redacted(text: str) -> str:
    """Take passwords of URLs, tokens, invitations and what is named a secret out of a text.

    What looks like one without being named as one is left as it is.

    Examples
    --------
    >>> redacted("no route to amqp://glean:hunter2@broker:5672/")
    'no route to amqp://glean:***@broker:5672/'
    """
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
