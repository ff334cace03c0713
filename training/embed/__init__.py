"""Token vectors trained apart from a model: skip-gram with negative sampling on k-mers.

`run` puts the steps together: `corpus` (the sequence), `cooccurrence` (counts of pairs), `skipgram` (the vectors),
`masked_prediction` (their accuracy at naming hidden k-mers, compared with a `markov` model), `shuffled_control` (do
reverse complements rank near each other by more than chance?) and `report` (figures and page).
"""
