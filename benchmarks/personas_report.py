"""docs/personas.md, written from the results of `personas`."""

# ruff: noqa: E501 - lines of Markdown
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

__all__ = ["report"]

_Results = Mapping[str, dict[str, Any]]
_METHODS = ("footpath", "k-means on TF-IDF", "HDBSCAN on SVD", "retentioneering")

_OPENING = """# Personas: what they are, and how well they are found

A persona is a kind of customer, found in what customers did. Each is a Markov chain over touchpoints, with its channels and its pace;
customers belong to personas by degrees (`customer_personas`), and so do their single journeys (`journey_personas`). The method is
told where it lives: `models/markov_mixture.py` (the mixture), `models/shared_habits.py` (what personas borrow from each other), `models/customer_pooling.py` (journeys of one customer support each
other, as far as customers keep to one persona), `models/persona_selection.py` (how many, if any), `models/persona_features.py` and
`models/persona_portraits.py` (what sets them apart, names, sentences), `models/persona_ledger.py` (who is who from run to run;
[ADR 7](adr/0007-personas-from-run-to-run.md)).

Figures below are made by

    python benchmarks/personas.py nulls worlds stability real scale
    python benchmarks/personas.py --record

on worlds of `benchmarks/persona_worlds.py`, whose seeds nothing else uses: five families of planted personas (Markov chains, noisy
scripts, composition, order, pairs that differ in channel and pace only), 6 to 10 personas of 2% to 35%, journeys of 1 to 200
touchpoints, 2% who click at random. The *oracle* knows every parameter and answers by Bayes' rule. Agreement is the adjusted
Rand index (ARI) with the truth; for methods that must be told the number of clusters, the planted one was given.
"""


_CARE = """## More personas than kinds: who is known as whom

The demo plants five personas, and nine are found. `footpath demo`, then `python benchmarks/persona_identities.py demo`, tell why:

| personas of | customers | personas | grade | ARI, assigned journeys | assigned |
|---|---|---|---|---|---|
| customers as resolved | 21,507 | 9 | usable | 0.64 | 67% |
| customers who are one person, whole | 8,810 | 6 | strong | 0.88 | 79% |
| planted persons and journeys | 14,762 | 7 | strong | 0.84 | 81% |

| persona | mostly | of them | customers | known by a browser alone | by no browser |
|---|---|---|---|---|---|
| Article, search | researcher | 87% | 4,295 | 72% | 0% |
| Email sent, email open | bargain hunter | 44% | 3,935 | 0% | 99% |
| Starts with product view, product view then add to cart | quick repeat buyer | 78% | 3,321 | 37% | 0% |
| Ends with product view, starts with promotion | bargain hunter | 38% | 3,650 | 97% | 0% |
| Store locator, loyalty club | store loyalist | 90% | 2,436 | 99% | 0% |
| Promotion, coupon | bargain hunter | 95% | 1,072 | 7% | 0% |
| Ends with purchase, email sent | store loyalist | 78% | 1,957 | 0% | 97% |
| Product view then support ticket, starts with product list | support-heavy returner | 82% | 625 | 10% | 0% |
| Store locator then purchase, purchase then loyalty club | store loyalist | 84% | 216 | 2% | 0% |

Five of the nine are the five that were planted, one each. The other four are pieces of persons: 14,762 persons are 21,507 customers, since
many a browser, address or receipt could not be tied to the rest of its person, and what one device or one till sees differs from what a
whole person does. Merging them would be a guess at whose they are; `personas.firmness` tells how surely half of the data finds each of them
again (.88, .75, .61, .42). Before a persona is taken for a kind of person, look at what its customers are known by; what helps is
identity, not fewer personas.

## Read with care

- On ecom (600 users, 3,723 journeys) two personas of single journeys ("browsers and those who reach the cart"), as many as footpath finds there,
  are predicted as well by k-means' chains as by the mixture; with more personas k-means' chains learn by heart, the mixture hardly. Starts are
  not the reason: begun from k-means' clusters, EM ends no better. Sorting customers gains little over one chain there, and k-means,
  lent our prior, a little more of it; the measured loyalty (.22) says so beforehand, and footpath sorts single journeys.
- Personas are chains of first order. Where the last two touchpoints say more of the next, one chain of second order predicts better than sorted
  journeys do (ecom; the journeys of completejourney, but not its customers). That alone is not taken for kinds: null worlds with
  such memory (`null_memory`) have no structure.
- Personas that differ in what they touch, not in what order (`composition`), are the hardest to count: too few are found at 10,000 journeys, and
  at 20,000 they may be cut another way after 5% more data. Nearly all firm journeys that changed persona are of that family.
- First-order families favour chains; the scripts do not, and are found best of all.
"""


def report(results: _Results) -> str:
    """The page."""
    told = (
        f"{len(results)} worlds and data sets had run when this page was written; every row says of how many it is, and "
        '"not run" where of none. The command goes on where it was stopped.\n'
    )
    sections = [_OPENING, told, _worlds(results), _choice(results), _goals(results)]
    sections += [_pooled(results), _stability(results), _real(results), _scale(results), _CARE]
    return "\n".join(section for section in sections if section)


def _of(results: _Results, prefix: str) -> list[dict[str, Any]]:
    return [result for name, result in sorted(results.items()) if name.startswith(prefix)]


def _families(results: _Results, n: int) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for name, result in sorted(results.items()):
        if name.startswith(f"world-{n}-"):
            found.setdefault(name.split("-")[2], []).append(result)
    return found


def _worlds(results: _Results) -> str:
    lines = [
        "## Agreement with the truth, journeys of five touchpoints and more",
        "",
        "A journey a customer, so nothing to pool. Mean ARI over the worlds of a family; the number of personas is found by footpath, "
        "given to k-means and retentioneering, and HDBSCAN's own.",
        "",
        "| journeys | family | worlds | oracle | " + " | ".join(_METHODS) + " |",
        "|---|---|---|---|" + "---|" * len(_METHODS),
    ]
    for n in (10_000, 80_000):
        families = _families(results, n)
        every = [result for own in families.values() for result in own]
        for family, own in [*families.items(), ("**all**", every)]:
            if own:
                cells = [_cell(own, method) for method in _METHODS]
                oracle = mean(result["footpath"]["oracle"] for result in own)
                lines.append(
                    f"| {n:,} | {family} | {len(own)} | {oracle:.3f} | {' | '.join(cells)} |"
                )
    return "\n".join(lines) + "\n"


def _cell(own: Sequence[dict[str, Any]], method: str) -> str:
    scores = [r[method].get("ari") for r in own if method in r]
    known = [score if score is not None else 0.0 for score in scores]
    return f"{mean(known):.3f}" if known else "not run"


def _choice(results: _Results) -> str:
    lines = [
        "## How many, if any",
        "",
        "The noise is a component of its own, so K + 1 is right, too. k-means and retentioneering choose by silhouette among 2 to 12, which "
        'cannot answer "none"; in null worlds (all alike, in four ways) every answer but none is wrong.',
        "",
        "| | worlds | " + " | ".join(_METHODS) + " |",
        "|---|---|" + "---|" * len(_METHODS),
    ]
    for n in (10_000, 80_000):
        own = [result for family in _families(results, n).values() for result in family]
        for title, right in (
            (f"{n:,} journeys: K or K + 1", lambda found, k: found in (k, k + 1)),
            (f"{n:,} journeys: within 1", lambda found, k: abs(found - k) <= 1),
        ):
            cells = [_share_right(own, method, right) for method in _METHODS]
            lines.append(f"| {title} | {len(own)} | {' | '.join(cells)} |")
    null = _of(results, "null-")
    cells = [_share_right(null, method, lambda found, k: found <= 1) for method in _METHODS]
    lines.append(f'| null worlds called "no structure" | {len(null)} | {" | ".join(cells)} |')
    return "\n".join(lines) + "\n"


def _share_right(own: Sequence[dict[str, Any]], method: str, right: Any) -> str:
    judged = [r for r in own if method in r and r[method]["found"] is not None]
    if not judged:
        return "not run"
    correct = sum(right(r[method]["found"], r["footpath"]["planted"]) for r in judged)
    return f"{correct} of {len(judged)}"


def _goals(results: _Results) -> str:
    lines = [
        "## Against the goals",
        "",
        "*Confident* are journeys whose posterior is .6 or more; by themselves, they agree with the truth no better than the oracle's "
        "confident answers do. *Published* with a persona are those of them that have three touchpoints, repeats collapsed.",
        "",
        "| worlds | goal | found | of worlds |",
        "|---|---|---|---|",
    ]
    for n, least, exactly, nearly in ((80_000, 0.95, 0.85, 0.94), (10_000, 0.85, None, 0.65)):
        own = [r["footpath"] for family in _families(results, n).values() for r in family]
        if own:
            found = _found(own, least, exactly, nearly)
            lines += [f"| {n:,} | {goal} | {what} | {len(own)} |" for goal, what in found]
    null = [r["footpath"]["found"] == 1 for r in _of(results, "null-")]
    lines.append(f'| null | "no structure": 98% | {mean(null):.0%} | {len(null)} |')
    stable = _of(results, "stable-")
    if stable:
        kept, of = _total(stable, "drift_kept")
        new = mean(r["newcomer_new"] for r in stable)
        lines += [
            f"| refits | ids of planted personas kept under 10% drift: 97% | {kept / of:.0%} | {len(stable)} |",
            f"| refits | new personas given new ids: 95% | {new:.0%} | {len(stable)} |",
        ]
    return "\n".join(lines) + "\n"


def _found(
    own: Sequence[dict[str, Any]], least: float, exactly: float | None, nearly: float
) -> Iterator[tuple[str, str]]:
    """Goals for planted worlds of one size, and what was found."""

    def average(key: str) -> float:
        return mean(r.get(key, 0.0) for r in own)

    ratio = average("ari") / average("oracle")
    yield f"ARI at length 5 and up: {least} of the oracle's", f"{ratio:.3f}"
    confident, covered = average("ari_confident"), average("confident")
    oracle, theirs = average("oracle_confident"), average("oracle_covered")
    yield (
        "ARI, confident" + (": .80" if exactly else ""),
        f"{confident:.3f} of {covered:.0%}; oracle {oracle:.3f} of {theirs:.0%}",
    )
    yield (
        "ARI, published with a persona",
        f"{average('ari_published'):.3f} of {average('published'):.0%}",
    )
    extra = [r["found"] - r["planted"] for r in own]
    if exactly:
        right = mean(e in (0, 1) for e in extra)
        yield f"K or K + 1: {exactly:.0%}", f"{right:.0%}"
    yield f"within 1 of K: {nearly:.0%}", f"{mean(abs(e) <= 1 for e in extra):.0%}"
    yield "refused: 2% at most", f"{mean(r['found'] == 1 for r in own):.0%}"
    yield (
        "stated and true certainty",
        f"{average('calibration'):.3f} apart in the worst tenth, on average",
    )


def _pooled(results: _Results) -> str:
    own = _of(results, "pooled-")
    if not own:
        return ""
    ari, oracle, all_, oracle_all = (
        mean(r.get(key, 0.0) for r in own) for key in ("ari", "oracle", "ari_all", "oracle_all")
    )
    return "\n".join(
        [
            "## Customers with several journeys",
            "",
            f"{len(own)} worlds of 25,000 journeys, 2.5 a customer on average. The oracle, too, knows whose a journey is.",
            "",
            "| | footpath | oracle |",
            "|---|---|---|",
            f"| ARI, journeys of five touchpoints and more | {ari:.3f} | {oracle:.3f} |",
            f"| ARI, all journeys | {all_:.3f} | {oracle_all:.3f} |",
            f"| loyalty (planted: 1) | {min(r['loyalty'] for r in own):.3f} at least | |",
            "",
        ]
    )


def _total(results: Iterable[dict[str, Any]], name: str) -> tuple[int, int]:
    """Sums of a part and a whole over worlds."""
    parts = [r[name] for r in results]
    return sum(part for part, _ in parts), sum(whole for _, whole in parts)


def _stability(results: _Results) -> str:
    own = _of(results, "stable-")
    if not own:
        return ""
    kept = [r["kept"] for r in own]
    firm = sum(r["firm"] for r in own)
    planted, noise = _total(own, "drift_kept"), _total(own, "drift_noise_kept")
    overall = sum(r["kept"] * r["firm"] for r in own) / firm
    return "\n".join(
        [
            "## From run to run",
            "",
            f"{len(own)} worlds of 20,000 customers, each fitted on 95% of them, published, and fitted anew on all of them; "
            "then on other customers of personas that drifted by 10%; and once first without one of the personas. Every fit starts from "
            "nothing; the ledger says who is who. An id is *swapped* if it stands for another planted persona than before, one that had an id.",
            "",
            "| | |",
            "|---|---|",
            f"| firm journeys (posterior over .9) that kept their persona after 5% more | {overall:.2%} of {firm:,}; worst world {min(kept):.2%} |",
            f"| ids swapped after 5% more | {sum(r['swapped'] for r in own)} |",
            f"| planted personas that kept their id under 10% drift | {planted[0]} of {planted[1]} |",
            f"| noise (2% who click at random) that had an id before, and kept it | {noise[0]} of {noise[1]} |",
            f"| ids swapped under 10% drift | {sum(r['drift_swapped'] for r in own)} |",
            f"| new personas found | {sum(r['newcomer_found'] for r in own)} of {len(own)} |",
            f"| new personas given a new id | {sum(r['newcomer_new'] for r in own)} of {sum(r['newcomer_found'] for r in own)} found |",
            "",
        ]
    )


def _real(results: _Results) -> str:
    names = [name.removeprefix("real-") for name in sorted(results) if name.startswith("real-")]
    if not names:
        return ""
    lines = [
        "## Real sequences",
        "",
        "Bits a touchpoint of moves held out (five folds of the customers, each judged by a fit to the other four); less is better. "
        "Sorted are customers with all their journeys, or single journeys. Two rivals sort by k-means and then describe each cluster by its chain: "
        "*plain* chains, each by itself (half a count added to every move), and chains that *borrow* from each other as those of our mixture do "
        "(`models/shared_habits.py`), which k-means does not have of its own. One chain of second order tells what "
        "the last two touchpoints say without any sorting. A difference is ours less theirs, with a standard error over customers.",
        "",
        "| data | sorted | personas | one chain | of second order | k-means, plain chains | k-means, borrowing chains | mixture | less plain | less borrowing |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        told = results[f"real-{name}"]
        for units in ("customers", "journeys"):
            one = min(told[f"{units}, {m}, 1"] for m in ("mixture", "plain", "borrowing"))
            for k in (2, 3, 4, 8):
                ours = told[f"{units}, mixture, {k}"]
                plain, borrowing = (told[f"{units}, {m}, {k}"] for m in ("plain", "borrowing"))
                differences = " | ".join(
                    f"{ours - theirs:+.4f} ± {told[f'{units}, {m}, error, {k}']:.4f}"
                    for m, theirs in (("plain", plain), ("borrowing", borrowing))
                )
                lines.append(
                    f"| {name} | {units} | {k} | {one:.4f} | {told['second order']:.4f} | {plain:.4f} | {borrowing:.4f} | {ours:.4f} | {differences} |"
                )
    return "\n".join(lines) + "\n"


def _scale(results: _Results) -> str:
    own = {n: results[f"scale-{n}"] for n in ("sequence", "side") if f"scale-{n}" in results}
    if not own:
        return ""
    lines = [
        "## A million journeys",
        "",
        "Read from Parquet in 16 buckets, sampled, fitted with the number automatic, every journey and customer assigned and portrayed; "
        "on two cores. The goal: 20 s by sequence only, 30 s with channels and pace, 3 GB. *Wall* is the whole process: the work, its imports, and the comparison with the truth.",
        "",
        "| | touchpoints | the work, s | sample, fit, assign, s | wall, s | cpu, s | peak, MB | planted, found | ARI, all journeys | oracle |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, r in own.items():
        title = {"sequence": "sequence only", "side": "with channels and pace"}[name]
        lines.append(
            f"| {title} | {r['steps']:,} | {r['sample_s'] + r['fit_s'] + r['assign_s']:.1f} "
            f"| {r['sample_s']:.1f}, {r['fit_s']:.1f}, {r['assign_s']:.1f} "
            f"| {r['wall_s']:.1f} | {r['cpu_s']:.1f} | {r['peak_mb']:,.0f} | {r['planted']}, {r['found']} "
            f"| {r['ari_all']:.3f} | {r['oracle_all']:.3f} |"
        )
    if any(r["wall_s"] > r["cpu_s"] for r in own.values()):
        lines += [
            "",
            "Where wall is above cpu, other work had the processors: only cpu and memory tell.",
        ]
    return "\n".join(lines) + "\n"
