"""The page of `fleetcast ui`: sliders that change a scenario, and charts that follow (extra `fleetcast[ui]`).

`service` knows what the page asks and who works it out, `app` speaks HTTP, `page/` is what a browser loads.
"""
