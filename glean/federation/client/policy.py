"""What a client does for a server and what it refuses: its owner's word, not the server's.

The node config and the run's settings come in; requests of the server are checked against both. A
refusal tells the server its kind only; the rest stands in the client's own log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from glean.aggregation_kinds import ALL_PARTS
from glean.errors import RefusalError
from glean.federation.client.members_file import TrustedMembers
from glean.federation.wire.noised_parts import whole_run
from glean.federation.wire.sum_request import (
    CLIENT_STEPS,
    CLIPPED_FINAL,
    CLIPPED_SCORE,
    SumRequest,
)
from glean.learning.forest import Forest
from glean.learning.structure import deepest
from glean.node_settings import DEFAULT_MIN_CONTRIBUTORS, NodeSettings
from glean.noise_settings import DP_FEDAVG, DP_SGD
from glean.privacy.cohort import Cohort
from glean.privacy.members import Member
from glean.privacy.privacy_ledger import enough, epsilon_at, total_of
from glean.settings import RunSettings

UNMASKED, CLEAR_SCORES = "unmasked", "scores in the clear"
STRUCTURES, NO_NOISE = "structures beyond the settings", "a run without noise"
NO_LEDGER, BEYOND_TOTAL = "noise without a home for its ledger", "a run beyond epsilon-total"
OPENS_FEW = "a run that opens sums of few"
CUT_SHORT, OTHER_PARTS = "a table cut short", "parts of another aggregation"


@dataclass(frozen=True)
class ClientPolicy:
    """What one client refuses.

    Parameters
    ----------
    node : NodeSettings
        Its owner's word.
    settings : RunSettings
        The run's settings, as the server told them.
    own_table : bool
        Whether the data is the client's own; a share of a simulation's is the operator's anyhow.
    """

    node: NodeSettings
    settings: RunSettings
    own_table: bool

    @property
    def min_contributors(self) -> int:
        """Contributors that each part of a sum needs; 0 where none are asked for."""
        default = DEFAULT_MIN_CONTRIBUTORS if self.own_table else 0
        return self.node.min_contributors or default

    @property
    def cohorts_floor(self) -> int:
        """By how many two cohorts have to differ of which something is opened; 0 under noise."""
        return 0 if self.settings.noise.wanted else self.min_contributors

    @property
    def wants_masks(self) -> bool:
        """Whether a vector may leave under masks only."""
        return bool(self.node.privacy) or (self.own_table and self.settings.secure_sums)

    @property
    def keeps_ledger(self) -> bool:
        """Whether this client counts what its days spend; a simulation's data is the operator's."""
        return self.own_table and self.settings.noise.wanted

    @property
    def total(self) -> float:
        """What a day may spend over all runs with noise, squared mu; no server has a say in it."""
        return total_of(self.node.epsilon_total)

    @property
    def hides_scores(self) -> bool:
        """Whether scores may leave only as part of a sum."""
        shown = self.settings.shows_scores(deployed=self.own_table)
        return self.node.share_scores == "no" or not shown

    def check_run(self) -> None:
        """Refuse a run whose settings aren't what the owner wants.

        Raises
        ------
        RefusalError
            Says which setting.
        """
        # Nothing of it changes between the many messages of a run.
        _ = self._fits

    @cached_property
    def _fits(self) -> bool:
        """Whether the run is what the owner wants: True, or it is refused."""
        wanted, kind = self.node.privacy, self.settings.rounds.kind
        noise = self.settings.noise
        if wanted == "noise" and not (noise.wanted or noise.in_steps):
            raise RefusalError(
                NO_NOISE,
                "node config privacy: found 'noise'; this run's sums carry no noise: nothing is "
                "answered. Join a run in that mode, or set privacy='sums'",
            )
        if wanted in (DP_SGD, DP_FEDAVG) and noise.privacy != wanted:
            raise RefusalError(
                NO_NOISE,
                f"node config privacy: found {wanted!r}; this run has privacy={noise.privacy}, "
                "which hides something else, or nothing. Nothing is answered",
            )
        if wanted and not (self.settings.secure_sums and kind.sums):
            raise RefusalError(
                UNMASKED,
                f"node config privacy: found {wanted!r}; the run has secure-sums="
                f"{str(self.settings.secure_sums).lower()} and aggregation={kind.name}: wanted "
                "masked sums of all. Nothing is answered",
            )
        if self.own_table and self.settings.secure_sums and kind.unfit_for_floor:
            raise RefusalError(
                OPENS_FEW,
                f"found aggregation={kind.name!r}: {kind.unfit_for_floor}; wanted sums of "
                f"{self.min_contributors} or more only (node config min-contributors), as with "
                "aggregation='bagging', or with noise, as with 'oblivious' and privacy='noise'. "
                "Nothing is answered",
            )
        if self.node.share_scores == "no" and self.settings.shows_scores(deployed=self.own_table):
            raise RefusalError(
                CLEAR_SCORES,
                "node config share-scores: found 'no'; the run shows the scores of each "
                f"(share-scores={self.settings.share_scores!r}, secure-sums="
                f"{str(self.settings.secure_sums).lower()}). Nothing is answered",
            )
        if self.keeps_ledger:
            self._check_ledger()
        return True

    @cached_property
    def _foreign_parts(self) -> frozenset[str]:
        return ALL_PARTS - {*self.settings.rounds.kind.parts}

    def check_update(self) -> None:
        """Refuse to send an update of this client alone in a run that sums.

        Raises
        ------
        RefusalError
            The run's aggregation is made of sums.
        """
        if self.wants_masks and self.settings.rounds.kind.sums:
            raise RefusalError(
                UNMASKED,
                "found a request for an update as it is; wanted one for a masked sum, as "
                f"aggregation={self.settings.rounds.aggregation} makes. Nothing is sent",
            )

    def check_scores(self) -> None:
        """Refuse to send scores as they are where they are to be hidden.

        Raises
        ------
        RefusalError
            They are.
        """
        if self.hides_scores:
            raise RefusalError(
                CLEAR_SCORES,
                "found a request for scores as they are; wanted them in a sum only, "
                "as share-scores says. Nothing is sent",
            )

    def check_request(self, request: SumRequest, structures: bytes) -> None:
        """Refuse a request of a sum that goes against the policy or the run's own settings.

        Parameters
        ----------
        request : SumRequest
            As this client reads it for itself.
        structures : bytes
            Model file of the trees whose leaves are wanted; empty without.

        Raises
        ------
        RefusalError
            Says what it wants.
        """
        if request.with_scores:
            self.check_scores()
        if request.parts and not request.masked and self.wants_masks:
            raise RefusalError(
                UNMASKED,
                f"found a request for {', '.join(request.parts)} without a mask; wanted masked "
                "ones, as secure-sums or privacy says. Nothing is sent",
            )
        others = {*request.parts} & self._foreign_parts
        if not self.settings.noise.wanted:
            others |= {*request.parts} & {CLIPPED_SCORE, CLIPPED_FINAL, CLIENT_STEPS}
        if others:
            raise RefusalError(
                OTHER_PARTS,
                f"found a request for {', '.join(sorted(others))}; wanted parts that "
                f"aggregation={self.settings.rounds.kind.name} sums, and clipped scores with noise "
                "only. Nothing is sent",
            )
        if request.proposes and not self.settings.rounds.kind.proposals:
            raise RefusalError(
                STRUCTURES,
                "found a request for structures of trees; wanted none, as only bagging with "
                "refitted leaves needs them. Nothing is sent",
            )
        if structures:
            self._check_structures(structures)

    def contributors(
        self, sets: Sequence[int], cohort: Cohort, members: Iterable[Member], *, own: str
    ) -> tuple[int, ...]:
        """Leave in each set of contributors those whom the owner has confirmed.

        Parameters
        ----------
        sets : sequence of int
            Sets over the cohort, one a part of the vector.
        cohort : Cohort
            Who takes part.
        members : iterable of Member
            The members among them, as this client's own list has them; none in a simulation.
        own : str
            This client, which needs nobody's word.
        """
        if not self.own_table:
            return tuple(sets)
        trusted = TrustedMembers.of(self.node.trusted_members)
        confirmed = cohort.bitmap(
            member.bakery for member in members if trusted.confirms(member) or member.bakery == own
        )
        return tuple(part & confirmed for part in sets)

    def _check_ledger(self) -> None:
        by_client = self.settings.noise.by_client
        if not self.node.home:
            whom = "this client" if by_client else "each day"
            raise RefusalError(
                NO_LEDGER,
                "node config home: found none; wanted a folder that counts what "
                f"{whom} spends in runs with noise. Nothing is answered",
            )
        spends = whole_run(self.settings)
        if not enough(self.total, spends):
            total, noise = self.node.epsilon_total, self.settings.noise
            found = f"{total:g}" if total else f"none, which is {epsilon_at(self.total):.3g}"
            raise RefusalError(
                BEYOND_TOTAL,
                f"node config epsilon-total: found {found}; wanted {epsilon_at(spends):.3g} or "
                f"more: so much of {'a client' if by_client else 'a day'} does this run spend by "
                f"itself (epsilon {noise.epsilon:g}, "
                f"delta {noise.delta:g}). Nothing is answered",
            )

    def _check_structures(self, content: bytes) -> None:
        rounds, boosting = self.settings.rounds, self.settings.boosting
        trees, depth = _extent(content)
        most = rounds.proposals_per_round * boosting.trees_per_round * boosting.num_parallel_tree
        if trees > most or depth > boosting.max_depth:
            raise RefusalError(
                STRUCTURES,
                f"found structures of {trees} trees, {depth} levels deep; wanted at "
                f"most {most} trees of {boosting.max_depth} levels, as the run's settings say. "
                "Nothing is sent",
            )


@lru_cache(maxsize=2)
def _extent(structures: bytes) -> tuple[int, int]:
    """Trees and levels of structures; in one process all bakeries get the same ones."""
    forest = Forest.from_bytes(structures)
    return forest.tree_count, deepest(forest)
