# Before the first job: disk, keys, models and data that the jobs of this run will need. Not in dry runs.
onstart:
    if CONFIG.plan.check:
        from smec.plan.obstacles import obstacles, refuse
        from smec.plan.planned import planned

        try:
            refuse(obstacles(CONFIG, planned(workflow.dag.needrun_jobs())))
        except SmecError as error:
            sys.exit(f"error: {error}")
    if CONFIG.forked and workflow.local_exec:
        from smec.forkserver import starting

        starting.start(CONFIG.forked)
