"""What can be said of a figure that a few random runs gave: intervals, tails, warm-up. Formulas over plain numbers.

Methods are those of Law, "Simulation Modeling and Analysis" (5th ed. 2015), and of Dong and Nakayama, "A tutorial on
quantile estimation via Monte Carlo" (2020).
"""
