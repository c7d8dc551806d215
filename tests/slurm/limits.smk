# Two jobs that need more than they ask for at first: Slurm ends them, and the profile asks for more until they go through.


rule all:
    input:
        "time.txt",
        "memory.txt",


# More than a minute, and less than two: limits are looked after every half minute.
rule slow:
    output:
        "time.txt",
    shell:
        "sleep 90 && touch {output:q}"


# With Snakemake around it more than 400 MB, and less than 800.
rule large:
    output:
        "memory.txt",
    shell:
        "python -c 'import time; held = b\"1\" * (450 << 20); time.sleep(10)' && touch {output:q}"
