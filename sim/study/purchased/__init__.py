"""Plans over time: what to buy, rent and reserve, month by month, proposed by a MILP and verified by simulation."""
