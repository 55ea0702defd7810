"""What `enterprise-api.md` quotes: promises kept and broken, and what each of twenty tenants costs and would pay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gallery_runs import Told, share, table, told, usd
from palette import BLUE, FAINT, GREEN, INK, RED

NAME = "enterprise-api"
UNLIMITED = "tenants.t20.quota=null"
UNFAIR = "pools.small.queue.fair=null"
RULES: dict[str, tuple[str, ...]] = {
    "quotas and fair turns, as shipped": (),
    "quotas alone": (UNFAIR,),
    "fair turns alone": (UNLIMITED,),
    "neither": (UNLIMITED, UNFAIR),
}
"""By name on the page: what is set."""

LIST_PRICE = (0.10, 0.40)
"""USD for a million prompt and output tokens of any model."""

MODELS = {"llama-3-70b": "Llama 3 70B", "mixtral-8x7b": "Mixtral 8x7B", "llama-3-8b": "Llama 3 8B"}


def run(*sets: str) -> Told:
    """A run."""
    return told(NAME, *sets)


def rules_table() -> str:
    """What is kept of the promises, by what protects the tenants from one another."""
    rows = []
    for rule, sets in RULES.items():
        seen = run(*sets)
        attained = [share(one["attained"]) if one["met"] else f"**{share(one['attained'])}**" for one in seen["slo"]]
        state = seen["recovery.state"]
        noisy = seen["tenants.t20.requests.completed"] / seen["tenants.t20.requests.arrived"]
        rows.append((rule, *attained, share(noisy), f"**{state}**" if state == "metastable" else state))
    heads = "| gold, TTFT ≤ 1 s: | silver, ≤ 2 s: | bronze, ≤ 5 s: | of t20 answered: | after the job"
    return table(heads, *rows)


def missed() -> list[str]:
    """Tenants whose own requests do not all keep their tier's promise, as shipped, and the share that does."""
    found = []
    for name, tenant in run().summary["tenants"].items():
        found += [f"{name} ({share(one['attained'])})" for one in tenant["slo"] if not one["met"]]
    return found


def _streams() -> dict[str, Any]:
    from sim import load

    return dict(load(NAME).workload.streams)


def kinds() -> dict[tuple[str, str], list[str]]:
    """Tenants by the model that they use and what they send."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, stream in _streams().items():
        kind = "documents" if stream.prompt_tokens.mean > 2000 else "chat"
        found.setdefault((stream.model, kind), []).append(name)
    order = list(MODELS)
    return dict(sorted(found.items(), key=lambda each: (order.index(each[0][0]), each[0][1])))


def a_day(usd_of_run: float) -> float:
    """USD a day."""
    return float(usd_of_run * 86_400 / run()["measured_s"])


def cost_usd(tenant: str) -> float:
    """What a tenant costs a day."""
    return a_day(run()[f"tenants.{tenant}.cost.total_usd"])


def costs_table() -> str:
    """What requests cost, by model and kind, with what the tenants of each come to."""
    rows = []
    for (model, kind), names in kinds().items():
        one = run()[f"tenants.{names[0]}.cost"]
        request = sum(run()[f"tenants.{name}.cost.total_usd"] for name in names) / sum(
            run()[f"tenants.{name}.requests.completed"] for name in names
        )
        rows.append(
            (
                MODELS[model],
                kind,
                len(names),
                f"{request * 100:.4f} ct",
                f"${one['prompt_usd_per_million_tokens']:.3f}",
                f"${one['output_usd_per_million_tokens']:.3f}",
                usd(sum(cost_usd(name) for name in names)),
            )
        )
    return table("model | sends | tenants: | a request: | 1M prompt tokens: | 1M output tokens: | a day:", *rows)


def dearest() -> float:
    """A request of the dearest tenant, over one of the cheapest."""
    each = [run()[f"tenants.{name}.cost.usd_per_request"] for name in _streams()]
    return float(max(each) / min(each))


def priced(times: float = 1.0) -> Told:
    """The run with one price list for all models, at so many times its break-even."""
    prompt, output = (price * break_even_share() * times for price in LIST_PRICE)
    return run(f"revenue=[{{kind: per_token, prompt: {prompt:.6f}, output: {output:.6f}}}]")


def break_even_share() -> float:
    """Of the list price, what just pays for the fleet."""
    prompt, output = LIST_PRICE
    listed = run(f"revenue=[{{kind: per_token, prompt: {prompt}, output: {output}}}]")
    return float(listed["economics.break_even_price_share"])


def margin_usd(times: float) -> float:
    """What is left a day with that list."""
    return a_day(priced(times)["economics.gross_margin_usd"])


def paid_share(model: str) -> float:
    """What the tenants of a model pay with one list for all, over what they cost."""
    names = [name for (own, _), tenants in kinds().items() if own == model for name in tenants]
    paid = sum(priced()[f"tenants.{name}.revenue_usd"] for name in names)
    return float(paid / sum(priced()[f"tenants.{name}.cost.total_usd"] for name in names))


def spare() -> float:
    """Share of the bill that is for time in which full replicas would have had nothing to do."""
    return 1.0 - float(run()["ledger.usd.useful"] / run()["cost.total_usd"])


def times_8b(tokens: str) -> float:
    """A token of the large model over one of the small one, in chat."""
    by_kind = kinds()
    large, small = (
        run()[f"tenants.{by_kind[model, 'chat'][0]}.cost.{tokens}_usd_per_million_tokens"]
        for model in ("llama-3-70b", "llama-3-8b")
    )
    return float(large / small)


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """Each tenant's cost a day by model, and what it would pay with one price list for all models."""
    shown = [
        [name, model, round(cost_usd(name), 2), round(a_day(priced()[f"tenants.{name}.revenue_usd"]), 2)]
        for (model, _), names in kinds().items()
        for name in names
    ]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.9)
        axes = figure.subplots()
        colours = dict(zip(MODELS, (RED, GREEN, BLUE), strict=True))
        for place, (_, model, cost, pays) in enumerate(shown):
            axes.bar(place, cost, color=colours[model], width=0.62, alpha=0.8)
            axes.plot([place - 0.4, place + 0.4], [pays, pays], color=INK, linewidth=2)
        for model, colour in colours.items():
            axes.bar(0, 0, color=colour, alpha=0.8, label=f"cost, {MODELS[model]}")
        axes.plot([], [], color=INK, linewidth=2, label="pays, with one list for all models")
        axes.set_xticks(range(len(shown)), [name for name, *_ in shown], fontsize=8.5)
        axes.grid(axis="x", visible=False)
        axes.spines["bottom"].set_color(FAINT)
        axes.set_title("Dollars a day of each tenant")
        axes.set_ylim(0, 1.35 * max(max(cost, pays) for *_, cost, pays in shown))
        axes.legend(loc="upper center", ncols=2)
        figure.tight_layout()

    return shown, paint


PICTURES = {f"{NAME}.png": the_picture}
