"""Secrets taken out of texts before anybody reads them: logs, answers about health, errors."""

from __future__ import annotations

import re

HIDDEN = "***"
"""What stands where a secret was, as SQLAlchemy writes it."""

_SECRET_NAMES = r"(?:password|passwd|passphrase|secret|token|access[_-]?key|api[_-]?key)"  # noqa: S105 # nosec B105 # names

# Each goes over a text once, whatever stands in it: strangers choose the paths that are logged.
_WORD = re.compile(r"[^\s\"'<>]+")
_USER = re.compile(r"://[^:/@]*:")
_NAME = re.compile(_SECRET_NAMES, re.IGNORECASE)
_RULES = (
    # A token of the service's: the prefix tells which, as on the page of tokens.
    (re.compile(r"\b(glean_\w{8})_[\w-]+"), rf"\1_{HIDDEN}"),
    # An invitation's code.
    (re.compile(r"(/join#\d+\.)[\w-]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(Bearer|Basic)\s+(?!\S*\.\.\.)[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # As parameters of URLs, environments and the reprs of options have them.
    (
        re.compile(
            rf"({_SECRET_NAMES}[\w-]{{0,64}}(?:\s*=|[\"']\s*:)\s*[\"']?)[^\s\"'&;,)}}\]]+",
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
    text = _WORD.sub(_without_password, text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def names_a_secret(name: str) -> bool:
    """Whether what has such a name is better not shown.

    Examples
    --------
    >>> names_a_secret("AWS_SECRET_ACCESS_KEY"), names_a_secret("key")
    (True, False)
    """
    return _NAME.search(name) is not None


def _without_password(word: re.Match[str]) -> str:
    """Hide the password of a URL, up to the last @: people forget to escape one."""
    text = word[0]
    end = text.rfind("@")
    found = _USER.search(text, 0, end) if end >= 0 else None
    return text if found is None else f"{text[: found.end()]}{HIDDEN}{text[end:]}"
