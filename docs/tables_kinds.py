"""Tables of what comes in kinds, one row a member of a union: laws, formats, policies, contracts, prices."""

from __future__ import annotations

import inspect
from collections.abc import Set
from typing import Any, get_args


def arrival_laws() -> str:
    """One row an arrival law, from the union."""
    from sim.workload.arrivals import AnyArrivals

    return _laws(get_args(get_args(AnyArrivals)[0]))


def distributions() -> str:
    """One row a distribution, from the union."""
    from sim.workload.distributions import AnyDistribution

    return _laws(get_args(AnyDistribution))


def _laws(laws: tuple[Any, ...]) -> str:
    lines = ["| kind | what it is | keys |", "| --- | --- | --- |"]
    for law in laws:
        law = getattr(law, "__origin__", law)
        fields = {info.alias or name: info for name, info in law.model_fields.items()}
        names = [name for name in fields if name not in ("kind", "min", "max")]
        own = ", ".join(f"`{name}`" for name in names)
        lines.append(f"| `{law.model_fields['kind'].default}` | {_first_line(law)} | {own} |")
    return "\n".join(lines)


def formats() -> str:
    """One row a trace format, from the union."""
    from sim.workload.traces import formats as known

    lines = ["| format | file | columns or keys | what is particular |", "| --- | --- | --- | --- |"]
    for form in known():
        columns = ", ".join(f"`{name}`" for name in form.columns)
        more = ", ".join(f"`{name}`" for name in form.optional)
        columns += f"; and {more}" if more else ""
        lines.append(f"| `{form.kind}` | {', '.join(form.containers)} | {columns} | {_paragraph(form)} |")
    return "\n".join(lines)


def policies() -> str:
    """One row an autoscaling policy, from the union."""
    from sim.autoscaling import AnyPolicy, External

    *ours, own = get_args(get_args(AnyPolicy)[0])
    return f"{_laws(tuple(ours))}\n| `{get_args(own)[1].tag}` | {_first_line(External)} | those of the class |"


def routers() -> str:
    """The names of the routers."""
    from sim.model.routing import ROUTERS

    return ", ".join(f"`{name}`" for name in ROUTERS)


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _paragraph(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def contract_kinds() -> str:
    """One row a kind of contract, from the union, in the order in which they cover usage."""
    from sim.pricing.contracts import AnyContract

    return _tagged(get_args(get_args(AnyContract)[0]), {"pools", "from"})


def spot_processes() -> str:
    """One row a way in which the price of spot moves, from the union."""
    from sim.pricing.spot import SpotProcess

    return _tagged(get_args(get_args(SpotProcess)[0]))


def slowness_kinds() -> str:
    """One row a price of slowness, from the union."""
    from sim.pricing.slowness import AnySlowness

    return _tagged(get_args(get_args(AnySlowness)[0]), {"class", "tenant"})


def revenue_kinds() -> str:
    """One row a way to earn, from the union."""
    from sim.pricing.revenue import AnyRevenue

    return _tagged(get_args(get_args(AnyRevenue)[0]), {"class", "tenant"})


def _tagged(kinds: tuple[Any, ...], common: Set[str] = frozenset()) -> str:
    """One row a kind, without the keys that all of them have."""
    lines = ["| kind | what it is | keys |", "| --- | --- | --- |"]
    for kind in kinds:
        names = [info.alias or name for name, info in kind.model_fields.items()]
        own = ", ".join(f"`{name}`" for name in names if name not in common | {"kind"})
        tag = get_args(kind.model_fields["kind"].annotation)[0]
        lines.append(f"| `{tag}` | {_first_line(kind)} | {own} |")
    return "\n".join(lines)
