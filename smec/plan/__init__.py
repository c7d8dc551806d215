"""What a run of the workflow would take, and what it lacks on this machine, told before its first job.

No job imports this package, so that an edit of an estimate reruns nothing.
"""
