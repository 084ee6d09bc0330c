"""Names that were given up for the field's own, and the sizes that a module and a function keep to.

The syntax trees show that none has come back: one word has one meaning here, and it's the one that
an engineer of the field would look for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("glean", "tests", "benchmarks")

MODULES = {
    "step_messages": "sum_messages",
    "orders": "sum_request",
    "squeezed": "compression",
    "final_sums": "final_test_sums",
    "participant": "client",
    "tree_work": "tree_trainer",
    "weight_work": "weight_trainer",
    "step_work": "sum_responder",
    "mask_holder": "secagg_client",
    "council": "client_manager",
    "conversation": "exchange",
    "post": "grid_messenger",
    "presence": "client_registry",
    "reception": "registration",
    "attendance": "availability",
    "steps": "sum_rounds",
    "masked_sums": "secagg_server",
    "aggregator": "reply_checks",
    "lead": "setup",
    "beginning": "start_model",
    "rounds": "training_loop",
    "standing": "training_state",
    "trained": "round_result",
    "phases": "strategy",
    "bagging_course": "leaf_refit",
    "cyclic_course": "cyclic",
    "fedavg_course": "fedavg",
    "histogram_course": "histogram",
    "pipelined_course": "pipelined",
    "local_run": "simulation_run",
    "deployment": "deployment_run",
    "control": "flwr_cli",
    "door": "reachability",
    "app_folder": "flower_app",
    "watcher": "watchdog",
    "failure_text": "flower_errors",
    "marked_log": "log_lines",
    "version": "code_version",
    "home": "client_home",
    "sampling": "seeds",
    "score_words": "metric_sums",
    "width_sums": "error_histogram",
    "bake": "newsvendor",
    "borrowed": "prior",
    "habits": "baselines",
    "forecast": "predict",
    "week": "recursive_forecast",
    "rolling": "rolling_origin",
    "tracking": "adaptive_conformal",
    "stated": "cold_start",
    "coming_days": "future_rows",
    "told_days": "known_future",
    "opened": "context",
    "own_model": "client_model",
    "own_files": "model_store",
    "choice": "model_selection",
    "personal": "personalization",
    "levels": "bias_correction",
    "details": "client_tables",
    "rivals": "baselines",
    "simulation": "diagnostics",
    "sureness": "coverage",
    "sure_tables": "coverage_tables",
    "growth": "federation_size",
    "pictures": "plot_style",
    "page": "html",
    "owner": "owner_page",
    "plans": "plan_backtest",
    "words": "glossary",
    "alone": "local_trees",
    "alone_weights": "local_weights",
    "averaged": "model_weights",
    "growing_tree": "tree_builder",
    "level_order": "histogram_request",
    "row_sums": "gradient_histograms",
    "row_places": "node_partition",
    "drawn": "row_sample",
    "rates": "learning_rates",
    "binned_trainer": "pooled_histogram",
}
"""Module names given up, and what the module is called now."""

DEFINITIONS = {
    "Council": "ClientManager",
    "Conversation": "ClientExchange",
    "Participant": "Client",
    "Rounds": "TrainingLoop",
    "Outcome": "TrainingResult",
    "Trained": "RoundResult",
    "Course": "Strategy",
    "ScoreRide": "PiggybackedEvaluation",
    "Steps": "SumRounds",
    "Orders": "SumRequest",
    "Progress": "MarginCache",
    "Contribution": "TrainReply",
    "Score": "EvaluateReply",
    "Question": "InfoRequest",
    "Introduction": "ClientInfo",
    "Widths": "ErrorDistribution",
    "Ending": "RunOutcome",
    "talk": "clients",
    "converse": "request",
    "some": "retries",
    "await_crowd": "wait_for_quorum",
    "judges": "sample_evaluators",
    "judge": "evaluate",
    "insists_on_masks": "requires_secagg",
    "strangers": "unregistered",
    "heard": "touch",
    "set_aside": "back_off",
    "greet": "request_info",
    "agree": "negotiate",
    "new_key": "advertise_key",
    "opening": "unmask_reply",
    "fills": "contributes",
    "shows": "with_scores",
    "parties": "num_clients",
    "follow": "catch_up",
    "say": "weight",
    "knock": "check_reachable",
    "Masker": "SecAggClient",
    "Turn": "StepMemory",
    "SecureSum": "SecAggRound",
    "Answer": "UnmaskReply",
    "Asked": "SeedRequest",
    "Masked": "MaskedInput",
    "KeyOffer": "KeyAdvertisement",
    "OwnKey": "KeyPair",
    "box": "encrypt_share",
    "Roster": "Cohort",
    "marks": "bitmap",
    "lonely": "isolated",
    "near": "neighbours_in",
    "split_seed": "share_seed",
    "check_seed": "commit_seed",
    "open_seed": "reconstruct_seed",
    "mask_state": "mask_serialization",
    "Made": "CreatedFiles",
    "errors_of": "residuals",
    "PastErrors": "Residuals",
    "below": "cdf",
    "OpenedBakery": "ForecastContext",
    "OwnModel": "ClientModel",
    "mix": "combine",
    "trust_in_own": "local_weight",
    "JudgedBakery": "WindowedRows",
    "look_inside": "diagnose",
    "Insight": "Diagnostics",
    "Growth": "HistogramGrower",
}
"""Names of classes, functions and methods given up; nor is one called as a module was."""

PLAIN_ENGLISH = {"choice", "home", "page", "version", "week"}
"""Given up as modules' names; a function whose action or value it is may be called so."""

STAYS = {
    "glean/operations/planning/forecast.py": "what `glean forecast` does: named for its command",
    "glean/operations/running/simulation.py": "what `glean simulate` does, likewise",
    "glean/cli/plan.py:forecast": "the command `glean forecast`",
    "glean/shop/pages/coming_days.py": "a page of days to come, named as it is on the page",
    "glean/shop/pages/week.py": "the page of the week ahead",
    "glean/shop/pages/orders.py": "what customers order",
    "glean/shop/store/orders.py": "likewise",
    "glean/shop/store/orders.py:Orders": "likewise",
    "glean/service/membership/members.py:heard": "pages say when each was last heard",
    "tests/deployment.py": "a deployment, Flower's word, as the tests start it",
    "tests/deployment.py:deployment": "likewise",
    "tests/operations/test_simulation.py": "mirrors the package",
}
"""What is English or a contract, with the reason."""

MOST_MODULE_LINES = 300
MOST_FUNCTION_LINES = 60

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def modules(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def definitions(path: Path) -> tuple[Definition, ...]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(node for node in ast.walk(tree) if isinstance(node, Definition))


def given_up(path: Path) -> Iterator[str]:
    """Names in a module, its own among them, that were given up; and what took their place."""
    place, stem = name_of(path), path.stem.removeprefix("test_")
    if stem in MODULES and place not in STAYS:
        yield f"{place}: see {MODULES[stem]}"
    terms = {old: term for old, term in MODULES.items() if old not in PLAIN_ENGLISH} | DEFINITIONS
    for node in definitions(path):
        name = node.name.lstrip("_")
        if name in terms and f"{place}:{node.name}" not in STAYS:
            yield f"{place}:{node.name}: see {terms[name]}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_given_up_name_has_come_back(folder: str) -> None:
    """One word has one meaning, and it's the one that an engineer of the field would look for."""
    assert [name for path in modules(folder) for name in given_up(path)] == []


def test_what_stays_is_there() -> None:
    """An exemption that nothing needs any more goes."""
    there = {name_of(path) for path in modules(*FOLDERS)}
    there |= {f"{name_of(p)}:{node.name}" for p in modules(*FOLDERS) for node in definitions(p)}
    assert STAYS.keys() <= there


def test_a_module_can_be_read_in_one_go() -> None:
    """Of the package and the benchmarks; tests may be longer tables."""
    lines = {
        name_of(p): len(p.read_text("utf-8").splitlines()) for p in modules("glean", "benchmarks")
    }
    assert {name: count for name, count in lines.items() if count > MOST_MODULE_LINES} == {}


def test_a_function_fits_on_a_screen() -> None:
    """Docstring and all."""
    long = [
        f"{name_of(path)}:{node.name}"
        for path in modules(*FOLDERS)
        for node in definitions(path)
        if not isinstance(node, ast.ClassDef)
        and (node.end_lineno or 0) - node.lineno >= MOST_FUNCTION_LINES
    ]
    assert long == []
