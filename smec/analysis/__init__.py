"""Measures of the analyses: pure functions on arrays, which know no files and no methods."""
