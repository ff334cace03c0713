"""Search over training on Ray Tune: which values of which keys, judged by memory before they start, told as a report."""
