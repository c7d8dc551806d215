"""Jobs of the workflow forked from a process that has loaded their libraries already.

Importing torch takes a second and more, sentence-transformers five, and a workflow has hundreds of jobs that compute
for less. Where jobs run on one Linux machine, the workflow starts a process for each family of verbs. It loads the
libraries when the first job asks, and every job is a fork of it: with its own memory, arguments, environment and
output, as if it had been started alone. A job that finds no such process, or one that does not fit, runs as always.
"""
