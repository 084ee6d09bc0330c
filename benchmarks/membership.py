"""How far does the strongest attack on a day get? Its AUC by epsilon and seed, and at most.

It is the one that `glean audit` makes of a run with noise: an attacker that knows every row but
those of a day asks whether that day took part. Five synthetic bakeries train once a seed, in this
process, with the settings of `glean simulate`. Run `python -m benchmarks.membership` (minutes;
options: --epsilon 4,2 --seeds 4).
"""

from __future__ import annotations

import argparse
import sys

from glean.audit.bakery_truth import open_bakery
from glean.audit.evidence import whole_run
from glean.audit.membership import MembershipFinding, best_area, membership
from glean.client_app import app
from glean.federation.wire.noised_parts import budget_of
from glean.settings import ConfigValue, RunSettings

BAKERIES = 5


def attacked(settings: RunSettings) -> MembershipFinding:
    """Run the rounds, keep every message, and attack days of all bakeries."""
    whole = whole_run(settings, BAKERIES, app, newcomers=())
    names, spec = whole.rerun.names, whole.rerun.spec
    truths = [open_bakery(k, settings, spec, newcomer=False, name=names[k]) for k in sorted(names)]
    return membership(whole.leaves, whole.member, truths, settings, senders=len(names))


def main() -> int:
    """Print a row a seed and epsilon; 1 where an attack gets beyond what the epsilon promises."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epsilon", default="4,2")
    parser.add_argument("--seeds", type=int, default=4)
    args = parser.parse_args()
    beyond = 0
    print("epsilon  seed    AUC  95% interval    at most")
    for epsilon in args.epsilon.split(","):
        for seed in range(1, args.seeds + 1):
            config: dict[str, ConfigValue] = {"baselines": False, "privacy": "noise", "seed": seed}
            settings = RunSettings.from_config({**config, "epsilon": float(epsilon)})
            found, most = attacked(settings), best_area(budget_of(settings).mu)
            low, high = found.interval
            print(
                f"{epsilon:>7} {seed:>5} {found.auc:>6.3f}  {low:.3f} to {high:.3f} {most:>10.3f}",
                flush=True,
            )
            beyond |= low > most
    return int(beyond)


if __name__ == "__main__":
    sys.exit(main())
