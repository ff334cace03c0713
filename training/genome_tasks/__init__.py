"""Computing a genome in tasks whose results are files, so that a killed run resumes: for `scan` and `annotate`."""
