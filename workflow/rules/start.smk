# Before the first job, not in dry runs: nobody else is at work in results/; disk, keys, models and data that the jobs of
# this run will need are there; and the processes that short jobs are forked from start.
onstart:
    from smec.forkserver import starting
    from smec.plan.obstacles import obstacles, refuse
    from smec.plan.planned import planned
    from smec.results_lock import hold

    try:
        hold(Path("results"))
        if CONFIG.plan.check:
            refuse(obstacles(CONFIG, planned(workflow.dag.needrun_jobs())))
    except SmecError as error:
        sys.exit(f"error: {error}")
    if CONFIG.forked and workflow.local_exec:
        starting.start(CONFIG.forked)
