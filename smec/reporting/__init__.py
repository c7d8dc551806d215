"""From stored per-query scores to tables, figures and a summary for the terminal.

scores.py    many metrics files -> one tidy frame
summary.py   tidy frame and a view -> mean, interval, test of every method and size
tables.py    summary -> CSV, Markdown, LaTeX
figures.py   summary -> PDF, PNG
console.py   summary -> plain text
style.py     colour, marker and dash of every method, and formats shared by all
"""
