"""What the rules of the workflow run: one module per verb, a job description and paths in, files out."""
