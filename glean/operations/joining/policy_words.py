"""What leaves a shop and what doesn't, and what its owner wants of runs, in words."""

from __future__ import annotations

from glean.languages.language import Language
from glean.node_settings import DEFAULT_MIN_CONTRIBUTORS, NodeSettings


def what_leaves(node: NodeSettings, language: Language) -> tuple[str, ...]:
    """Say what leaves the shop in a run, and what doesn't."""
    sums = (
        language.translate(
            "What leaves this shop in a run: sums over its days with noise on them, so that a "
            "single day hardly shows in them, masked besides: the operator sees only the sums of "
            "all bakeries together."
        )
        if node.privacy == "noise"
        else language.translate(
            "What leaves this shop in a run: sums over its days, masked, so that the operator sees "
            "only those of all bakeries together. Without noise, which a run may go without by "
            "your choice, the operator can work out some exact sales from them."
        )
    )
    return (
        sums,
        language.translate(
            "What stays here: the table, single sales, names of products, prices, your forecasts "
            "and plans."
        ),
        language.translate(
            "What the operator knows besides: this bakery's name, its internet address, and when "
            "its computer is there."
        ),
    )


def policy_sentences(node: NodeSettings, language: Language) -> tuple[str, ...]:
    """Say what this bakery's own program refuses, whatever the operator asks."""
    fewest = node.min_contributors or DEFAULT_MIN_CONTRIBUTORS
    found = [
        language.translate("It takes part in runs with noise only.")
        if node.privacy == "noise"
        else language.translate("It takes part in runs with masked sums, with noise or without."),
        language.translate(
            "It takes part in no sum of fewer than {count} bakeries.", count=language.number(fewest)
        ),
        _total(node, language),
        language.translate("No run may show the operator this bakery's scores.")
        if node.share_scores == "no"
        else language.translate("A run that says so may show the operator this bakery's scores."),
        language.translate("Of the other bakeries only those count whom you have confirmed.")
        if node.trusted_members
        else language.translate("All bakeries count that the operator lets in."),
    ]
    return tuple(found)


def _total(node: NodeSettings, language: Language) -> str:
    if node.epsilon_total:
        total = language.shortest_number(node.epsilon_total)
        return language.translate(
            "A day may spend at most epsilon {total} over all runs.", total=total
        )
    return language.translate("A day may spend at most what two full runs spend.")
