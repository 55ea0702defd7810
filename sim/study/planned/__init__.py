"""The cheapest fleet that keeps what is promised, and a certificate of it.

What a static fleet costs is known without a run, and only whether it keeps its promises takes some. So designs are
taken by price; theory says where to look; runs on common random numbers find the smallest number of replicas; and
others, on fresh seeds, certify that it is enough and that one fewer is not.
"""
