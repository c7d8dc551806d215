"""The report as one page: text, figures and sortable tables in one file that needs no network.

outline.py     which section a view or a study belongs to
material.py    tables, figures and numbers of the results, as the page shows them
findings.py    a table of scores -> what it says about the tested run
provenance.py  commit, versions and checksums
story.py       text/**/*.rst and the material -> reStructuredText
markup.py      the pieces of reStructuredText that hold data
html.py        reStructuredText -> HTML, by docutils; sorting by DataTables, which itables brings
"""
