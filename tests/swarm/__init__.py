"""Random scenarios over the whole schema of scenario files, and what must be true of each.

`grammar` reads the JSON Schema, `values` and `words` draw what stands at its leaves, `laws` makes what is drawn
consistent, `generate` draws a scenario and mends it by the loader's own complaints, `check` runs it, `relations` runs
it again a little changed, `oracle` lets the naive model do the same, `shrink` drops what a failure does not need, and
`soak` goes on for as long as it is told to.
"""
