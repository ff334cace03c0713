"""The page of an annotation: one HTML file with counts, lengths, scores, and some gene models under probabilities."""
