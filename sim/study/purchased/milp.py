"""The purchase problem as a MILP: commitments before demand is known, by the hour after it, at every load level.

Two stages: what is committed to is one decision for all demand scenarios; what runs on demand and on spot is one for
each scenario, month and load level. Commitments are whole nodes, carried over from month to month until their term is
over. Beyond the plan's last month contracts are renewed as it pays, or else buying late would look cheap: a contract
that begins later covers more of the time that is looked at. With one scenario, one GPU and two prices it comes to the
rule of the load-duration curve: a unit is worth reserving if it is used for the share of hours that its price is of the
price on demand.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

from sim.study.purchased.program import Program
from sim.study.purchased.terms import Bought, Committed, Problem, Proposal, Use

SHORT_PRICES = 3.0
"""What an hour of shortage counts, in prices of what is missing: it never pays to be short of what can be bought."""
BEYOND_RISK = 1e3
"""The same for a probability of shortage beyond what is allowed; only quotas and lead times bring it about."""
_NONE = 1e-7
"""Less is rounding of the solver."""

Key = tuple[str, str]


@dataclass
class _Columns:
    """Numbers of the variables."""

    nodes: dict[tuple[int, int], int] = field(default_factory=dict)
    """By commitment and month."""
    spend: dict[tuple[int, int], int] = field(default_factory=dict)
    hourly: dict[tuple[int, int], int] = field(default_factory=dict)
    """By hourly option and state: units."""
    spent: dict[int, dict[tuple[int, int], int]] = field(default_factory=lambda: defaultdict(dict))
    """By state, then spending option and hourly option: GPUs."""
    carried: dict[tuple[int, str, str], int] = field(default_factory=dict)
    """By state, site and GPU."""
    short: dict[tuple[int, str], int] = field(default_factory=dict)
    is_short: dict[tuple[str, int, int], int] = field(default_factory=dict)
    """By site, period and demand scenario."""


def propose(problem: Problem) -> Proposal:
    """What to buy. Raises `ConfigError` if limits contradict each other."""
    return _Builder(problem).solved()


class _Builder:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.program = Program()
        self.columns = _Columns()
        self._commitments()
        self._spending()
        for place in range(len(problem.states)):
            self._state(place)
        self._risk()

    # -- what is committed to ------------------------------------------------------------------------------------

    def _months(self) -> list[tuple[int, bool]]:
        """Months in which something may be bought, and whether they are the plan's."""
        return [(period.month, period.planned) for period in self.problem.periods]

    def _held_hours(self, month: int, term: int) -> float:
        return math.fsum(each.hours for each in self.problem.periods if month <= each.month < month + term)

    def _commitments(self) -> None:
        for place, option in enumerate(self.problem.commitments):
            for month, planned in self._months():
                if month < option.first_month:
                    continue
                usd = option.usd_per_gpu_h * option.gpus_at_once * self._held_hours(month, option.term_months)
                self.columns.nodes[place, month] = self.program.add(usd, whole=planned)
            if math.isfinite(option.most_gpus):
                for period in self.problem.periods:
                    self.program.row(self._nodes_of(place, period.month), high=option.most_gpus)

    def _nodes_of(self, place: int, month: int) -> list[tuple[int, float]]:
        """GPUs of one option that hold in a month, as terms."""
        option = self.problem.commitments[place]
        return [
            (column, float(option.gpus_at_once))
            for (which, bought), column in self.columns.nodes.items()
            if which == place and bought <= month < bought + option.term_months
        ]

    def _spending(self) -> None:
        for place, option in enumerate(self.problem.spending):
            for month, _ in self._months():
                if month >= option.first_month:
                    hours = self._held_hours(month, option.term_months)
                    self.columns.spend[place, month] = self.program.add(hours)

    # -- what runs -----------------------------------------------------------------------------------------------

    def _state(self, place: int) -> None:
        state = self.problem.states[place]
        weight = state.probability * state.hours
        needed: dict[Key, list[tuple[int, float]]] = defaultdict(list)
        spot_limit: dict[Key, list[tuple[int, float]]] = defaultdict(list)
        for site in self.problem.sites:
            shares, dearest = [], 0.0
            for gpu, per_replica in site.gpus.items():
                gpus = state.replicas[site.name, gpu] * per_replica
                column = self.program.add(high=1.0)
                self.columns.carried[place, site.name, gpu] = column
                shares.append((column, 1.0))
                needed[gpu, site.region].append((column, -gpus))
                spot_limit[gpu, site.region].append((column, -gpus * site.spot_share))
                dearest = max(dearest, gpus * self._dearest_usd(gpu))
            short = self.program.add(SHORT_PRICES * weight * dearest, high=1.0)
            self.columns.short[place, site.name] = short
            self.program.row([*shares, (short, 1.0)], low=1.0, high=1.0)
        for (gpu, region), terms in needed.items():
            self._served(place, gpu, region, terms, spot_limit[gpu, region], weight)
        self._commit_spent(place)

    def _dearest_usd(self, gpu: str) -> float:
        prices = [each.usd_per_gpu_h for each in self.problem.commitments if each.gpu == gpu]
        prices += [each.usd_per_gpu_h for each in self.problem.hourly if each.gpu == gpu]
        return max(prices, default=1.0)

    def _served(
        self,
        place: int,
        gpu: str,
        region: str,
        needed: list[tuple[int, float]],
        spot_limit: list[tuple[int, float]],
        weight: float,
    ) -> None:
        """What there is of a GPU in a region is at least what is needed; quotas and the share on spot are kept."""
        state = self.problem.states[place]
        month = self.problem.periods[state.period].month
        held: list[tuple[int, float]] = []
        provider: list[tuple[int, float]] = []
        for which, option in enumerate(self.problem.commitments):
            if (option.gpu, option.region) == (gpu, region):
                held += self._nodes_of(which, month)
                provider += self._nodes_of(which, month) if option.kind != "owned" else []
        spot: list[tuple[int, float]] = []
        for which, rate in enumerate(self.problem.hourly):
            if (rate.gpu, rate.region) != (gpu, region):
                continue
            size = rate.gpus_at_once
            usd = rate.usd_per_gpu_h * size * weight
            column = self.program.add(usd, high=rate.most_gpus / size, whole=size > 1 and rate.kind == "on_demand")
            self.columns.hourly[which, place] = column
            terms = [(column, float(size)), *self._spent(which, place, weight)]
            (spot if rate.kind == "spot" else held).extend(terms)
            provider += terms
        there = self.problem.there.get((gpu, region, state.period), 0.0)
        self.program.row([*held, *spot, *needed], low=-there)
        if spot:
            self.program.row([*spot, *spot_limit], high=0.0)
        quota = self.problem.quotas.get((gpu, region))
        if quota is not None:
            self.program.row(provider, high=max(quota - there, 0.0))

    def _spent(self, which: int, place: int, weight: float) -> list[tuple[int, float]]:
        """GPUs on demand that commitments to spend pay for, as terms."""
        rate = self.problem.hourly[which]
        if rate.kind != "on_demand":
            return []
        found = []
        for option_place, option in enumerate(self.problem.spending):
            if option.gpu in (None, rate.gpu) and option.region in (None, rate.region):
                column = self.program.add()
                self.columns.spent[place][option_place, which] = column
                found.append((column, 1.0))
        return found

    def _commit_spent(self, place: int) -> None:
        """What is paid from a commitment to spend is at most the commitment."""
        state = self.problem.states[place]
        month = self.problem.periods[state.period].month
        for option_place, option in enumerate(self.problem.spending):
            terms = [
                (column, self.problem.hourly[which].usd_per_gpu_h * (1 - option.discount_share))
                for (one, which), column in self.columns.spent[place].items()
                if one == option_place
            ]
            terms += [
                (column, -1.0)
                for (one, bought), column in self.columns.spend.items()
                if one == option_place and bought <= month < bought + option.term_months
            ]
            if terms:
                self.program.row(terms, high=0.0)

    # -- how often it is too little ------------------------------------------------------------------------------

    def _risk(self) -> None:
        by_month: dict[tuple[str, int], dict[int, int]] = defaultdict(dict)
        chance: dict[int, float] = {}
        for (place, site), column in self.columns.short.items():
            state = self.problem.states[place]
            if not self.problem.periods[state.period].planned:
                continue
            chance[state.path] = state.probability
            mine = by_month[site, state.period]
            if state.path not in mine:
                mine[state.path] = self.program.add(high=1.0, whole=True)
                self.columns.is_short[site, state.period, state.path] = mine[state.path]
            self.program.row([(column, 1.0), (mine[state.path], -1.0)], high=0.0)
        dearest = max((abs(cost) for cost in self.program.costs), default=1.0)
        for paths in by_month.values():
            beyond = self.program.add(BEYOND_RISK * dearest)
            terms = [(column, chance[path]) for path, column in paths.items()]
            self.program.row([*terms, (beyond, -1.0)], high=self.problem.short_at_most)

    # -- the answer ----------------------------------------------------------------------------------------------

    def solved(self) -> Proposal:
        found = self.program.solve()
        values, planned = found.values, {month for month, planned in self._months() if planned}

        def bought() -> list[Bought]:
            told = []
            for (place, month), column in sorted(self.columns.nodes.items()):
                option, nodes = self.problem.commitments[place], round(values[column])
                if nodes and month in planned:
                    told.append(
                        Bought(
                            option.name,
                            option.kind,
                            option.gpu,
                            option.region,
                            month,
                            option.term_months,
                            nodes * option.gpus_at_once,
                            option.usd_per_gpu_h,
                        )
                    )
            return told

        spending = [
            Committed(self.problem.spending[place].name, month, self.problem.spending[place].term_months, usd)
            for (place, month), column in sorted(self.columns.spend.items())
            if month in planned and (usd := float(values[column])) > _NONE
        ]
        priced = [*self.columns.nodes.values(), *self.columns.spend.values(), *self.columns.hourly.values()]
        usd = math.fsum(self.program.costs[column] * float(values[column]) for column in priced)
        uses = tuple(self._use(place, values.tolist()) for place in range(len(self.problem.states)))
        return Proposal(tuple(bought()), tuple(spending), uses, usd, found.gap_share)

    def _use(self, place: int, values: list[float]) -> Use:
        kinds: dict[str, dict[Key, float]] = {"on_demand": {}, "spot": {}}
        discounted: dict[Key, float] = {}
        for which, rate in enumerate(self.problem.hourly):
            key = (rate.gpu, rate.region)
            hourly = self.columns.hourly.get((which, place))
            if hourly is not None:
                gpus = _clean(values[hourly]) * rate.gpus_at_once
                kinds[rate.kind][key] = kinds[rate.kind].get(key, 0.0) + gpus
            for option in range(len(self.problem.spending)):
                spent = self.columns.spent[place].get((option, which))
                if spent is not None:
                    discounted[key] = discounted.get(key, 0.0) + _clean(values[spent])
        carried = {
            (site.name, gpu): _clean(values[self.columns.carried[place, site.name, gpu]])
            for site in self.problem.sites
            for gpu in site.gpus
        }
        short = {site.name: _clean(values[self.columns.short[place, site.name]]) for site in self.problem.sites}
        return Use(kinds["on_demand"], kinds["spot"], discounted, carried, short)


def _clean(value: float) -> float:
    """Without the rounding of the solver."""
    near = round(value)
    return float(near) if abs(value - near) < _NONE else value
