"""The page of an audit of a run on pictures, in plain words; its gist, and its strips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from glean.evaluation.figures.inversion import Strip, inversion_strips
from glean.evaluation.figures.plot_style import Picture
from glean.evaluation.pages import html
from glean.images.inversion.experiments import NOISE, PLAIN, SUM, Case, Experiment
from glean.images.inversion.inversions import Inversions
from glean.languages.catalogues import translatable
from glean.languages.language import Language

UPDATES = {
    PLAIN: translatable("plain update"),
    SUM: translatable("secure sum alone"),
    NOISE: translatable("update with noise"),
}

_DIGITS = 2

_WORDS = (
    (translatable("plain update"), translatable(
        "What a client's training changed in the weights, as the server sees it where sums are "
        "open."
    )),
    (translatable("secure sum alone"), translatable(
        "The weighted mean of all clients' updates, which is what a server opens with masks and "
        "without noise. It is an update of all their pictures together."
    )),
    (translatable("update with noise"), translatable(
        "The same client's update with DP-SGD: gradients clipped by picture, and noise for the "
        "run's epsilon."
    )),
    (translatable("single step"), translatable(
        "local-steps=1 with so small a batch: no setting lets an update tell more of each "
        "picture. Of steps on one picture several are attacked, each by itself."
    )),
    (translatable("likeness"), translatable(
        "Normalised correlation of what came out with the picture that it is paired with; 1 is the "
        "same picture, whatever its brightness and contrast."
    )),
    (translatable("recovered"), translatable(
        "What came out is more like its picture than like any of many others of the same "
        "class that nobody trained on and their mean, and more like it than any of these is. So a "
        "class's mean, or another picture of the class, doesn't count."
    )),
    (translatable("by chance"), translatable(
        "The same measure on as many pictures of the same classes that nobody trained on, in the "
        "mean of several draws."
    )),
)  # fmt: skip


def gist_of(audit: Inversions, language: Language) -> list[str]:
    """Give what an audit comes to, in a few sentences."""
    return [*_verdicts(audit, language), *(_sentence(one, language) for one in audit.found)]


def page_of(audit: Inversions, drawn: Sequence[Picture], language: Language) -> str:
    """Lay an audit out as a page."""
    title = language.translate("What this run's updates tell of pictures: {run}", run=audit.run)
    verdicts = [html.paragraph(text, kind="headline") for text in _verdicts(audit, language)]
    sections = [
        html.section(
            _title(one, language),
            [html.paragraph(_sentence(one, language)), _table(one, language), html.figure(picture)],
        )
        for one, picture in zip(audit.found, drawn, strict=True)
    ]
    words = [(language.translate(term), language.translate(text)) for term, text in _WORDS]
    return html.whole_page(
        title,
        [
            *verdicts,
            html.section(
                language.translate("Whose updates these are"),
                map(html.paragraph, _origin(audit, language)),
            ),
            *sections,
            html.section(
                language.translate("What this doesn't say"), [html.bullets(_limits(language))]
            ),
            html.section(language.translate("Words"), [html.definitions(words)]),
        ],
        language,
    )


def strips_of(found: Sequence[Experiment], language: Language) -> list[Picture]:
    """Draw a picture of each experiment."""
    return [
        inversion_strips(
            f"inversion-step-{one.pictures}" if one.pictures else "inversion-round",
            _title(one, language),
            [
                Strip(
                    language.gettext(UPDATES[case.update]),
                    case.originals,
                    case.out,
                    case.recovery.pairs.recovered,
                )
                for case in one.cases
            ],
            language,
        )
        for one in found
    ]


def _title(one: Experiment, language: Language) -> str:
    if not one.pictures:
        return language.translate("The first round as it went")
    return language.translate_count(
        "A single step on {count} picture", "A single step on {count} pictures", one.pictures
    )


def _sentence(one: Experiment, language: Language) -> str:
    plain, whole, noise = (_count(case, language) for case in one.cases)
    return language.translate(
        "{where}: recovered are {plain} of a client's plain update, {sum} of the secure sum alone, "
        "{noise} of the update with noise.",
        where=_title(one, language),
        plain=plain,
        sum=whole,
        noise=noise,
    )


def _count(case: Case, language: Language) -> str:
    return language.translate(
        "{found} of {tried} (by chance {chance})",
        found=language.number(case.recovery.recovered),
        tried=language.number(case.recovery.tried),
        chance=language.shortest_number(case.recovery.chance, _DIGITS),
    )


def _verdicts(audit: Inversions, language: Language) -> Iterator[str]:
    epsilon = f"{audit.first.settings.noise.epsilon:g}"
    if _comes_out(audit, PLAIN):
        yield language.translate(
            "A client's plain update tells of its pictures: where few are behind it, they come out."
        )
    else:
        yield language.translate(
            "No more came out of plain updates than by chance. That is as far as this attack gets, "
            "and no promise."
        )
    if _comes_out(audit, SUM):
        yield language.translate(
            "Secure sums alone don't hide pictures where few are behind a sum: some come out, "
            "though nothing says whose they are."
        )
    else:
        yield language.translate(
            "Of the secure sum alone no more came out than by chance. It hides in numbers "
            "only: nothing bounds what a sum of few pictures tells."
        )
    if _comes_out(audit, NOISE):
        yield language.translate(
            "Even with noise of epsilon {epsilon} pictures came out: take a smaller epsilon.",
            epsilon=epsilon,
        )
    elif any(case.recovery.recovered for case in _cases(audit, NOISE)):
        yield language.translate(
            "With noise of epsilon {epsilon} no more came out than by chance.", epsilon=epsilon
        )
    else:
        yield language.translate(
            "With noise of epsilon {epsilon} no picture came out.", epsilon=epsilon
        )


def _comes_out(audit: Inversions, update: str) -> bool:
    return any(case.recovery.significant for case in _cases(audit, update))


def _cases(audit: Inversions, update: str) -> list[Case]:
    return [case for one in audit.found for case in one.cases if case.update == update]


def _origin(audit: Inversions, language: Language) -> Iterator[str]:
    settings = audit.first.settings
    if audit.compared:
        yield language.translate(
            "A run's folder holds no messages. So the first round was made again with the same "
            "settings and seed, and the model after it is this run's."
        )
    else:
        yield language.translate(
            "A run's folder holds no messages. So the first round was made again with the same "
            "settings and seed, with all clients, which this run didn't do in one sum: nothing "
            "says that it is the same."
        )
    victim = audit.first.victim
    yield language.translate_count(
        "Attacked was {client}, which has the fewest training pictures: {count}.",
        "Attacked was {client}, which has the fewest training pictures: {count}.",
        len(victim.training),
        client=victim.name,
    )
    if settings.noise.in_steps:
        yield language.translate(
            "Clients of this run trained with noise: the other two updates left nobody."
        )
    elif settings.secure_sums:
        yield language.translate(
            "The server of this run opened secure sums only, and without noise."
        )
    else:
        yield language.translate("The server of this run saw plain updates.")


def _table(one: Experiment, language: Language) -> str:
    heads = (
        language.translate("update"),
        language.translate("clients"),
        language.translate("pictures behind it"),
        language.translate("recovered"),
        language.translate("by chance"),
        language.translate("likeness"),
        language.translate("likeness by chance"),
        language.translate("of the class's mean"),
        language.translate("of the most alike other"),
    )
    caption = language.translate("Likeness is the mean over pairs")
    return html.table(caption, heads, [_row(case, language) for case in one.cases])


def _row(case: Case, language: Language) -> tuple[str, ...]:
    found = case.recovery
    return (
        language.gettext(UPDATES[case.update]),
        language.number(case.clients),
        language.number(case.behind),
        language.translate(
            "{found} of {tried}",
            found=language.number(found.recovered),
            tried=language.number(found.tried),
        ),
        language.shortest_number(found.chance, _DIGITS),
        language.number(found.likeness, _DIGITS),
        language.number(found.chance_likeness, _DIGITS),
        language.number(found.mean_likeness, _DIGITS),
        language.number(found.other_likeness, _DIGITS),
    )


def _limits(language: Language) -> Iterator[str]:
    yield language.translate(
        "What this attack didn't get, another may get: these are a lower bound of what is told."
    )
    yield language.translate(
        "The attacker knows the network and the weights that the round began with, as every server "
        "does, and is given how many pictures of which classes are behind an update, which a "
        "server has to guess."
    )
    yield language.translate(
        "Inverting many steps over many pictures is beyond published attacks of this kind. That "
        "nothing came out of a whole round is no proof that nothing is in it."
    )
    yield language.translate(
        "Only the first round is attacked, and rounds aren't put together; with noise epsilon "
        "counts all of them."
    )
    yield language.translate("A simulation protects nobody: all its pictures are the operator's.")
