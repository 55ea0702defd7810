"""Traffic of a running service, as a workload: from its Prometheus or its request log.

`measured` is what either tells, `log` and `counters` read them, `bursts`, `lengths` and `fit` find the laws, `goodness`
tells how well these stand for the data.
"""
