"""What became of each candidate, in words that hold against the fleet chosen in the end."""

from __future__ import annotations

from sim.result import words
from sim.study.planned.candidates import Candidate
from sim.study.planned.probing import MISSES
from sim.study.planned.result import Considered


def considered(one: Candidate, best: Candidate | None, priced: bool) -> Considered:
    """For the plan; `best`: the candidate chosen, None: none keeps the promises; `priced`: in USD, not in GPUs."""
    found = one.found
    usd = None if found is None else found.usd_per_hour
    fleet = found.fleet if found is not None and found.met else None
    return Considered(one.fleets.told, dict(one.brackets), fleet, usd, _outcome(one, best, priced))


def _outcome(one: Candidate, best: Candidate | None, priced: bool) -> str:
    if one.broken:
        return f"cannot be run: {one.broken}"
    if one.open:
        return MISSES if best is None else _dropped(one, best, priced)
    return f"{one.said}{_after_search(one, best, priced)}"


def _dropped(one: Candidate, best: Candidate, priced: bool) -> str:
    assert one.floor_usd >= best.usd_per_hour, "what may be cheaper has been looked at again"
    if one.looked_at:
        return f"dearer: for less than {_price(best.usd_per_hour, priced)} it does not meet the promises"
    floor, taken = _price(one.floor_usd, priced), _price(best.usd_per_hour, priced)
    return f"not run: to carry the load alone it costs {floor} or more, the fleet chosen {taken}"


def _after_search(one: Candidate, best: Candidate | None, priced: bool) -> str:
    assert one.found is not None, "a fleet was found"
    assert one.reached is not None, "a fleet was found"
    same = one.reached.fleet == one.found.fleet
    fleet = f"{words.replicas(one.reached.fleet)} for {_price(one.usd_per_hour, priced)}"
    if one is best:
        return "; chosen" if same else f"; chosen with {fleet}, the smallest that is certified"
    if not one.found.met:
        return ""
    if one.certified is not None and not one.sure:
        return f"; but even {words.replicas(one.reached.fleet)} cannot be certified"
    assert best is not None, "this one would be certified before there is none"
    than = "dearer than" if one.usd_per_hour > best.usd_per_hour else "no cheaper than"
    beaten = f"{than} {_price(best.usd_per_hour, priced)}"
    if one.sure:
        return f"; certified{'' if same else f' with {fleet}'}, {beaten}"
    return f"; {beaten}" if same else f"; not certified with fewer than {fleet}, {beaten}"


def _price(usd_per_hour: float, priced: bool) -> str:
    return f"{words.usd(usd_per_hour)} an hour" if priced else words.plural(round(usd_per_hour), "GPU")
