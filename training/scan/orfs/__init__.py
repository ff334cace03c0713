"""Reading frames of a scan: of all frames from start to stop codon, those that the scores say are genes.

In order: `candidates` (one start for each frame), `settings` (what they are worth), `schedule` (which of those that
overlap), `models` (the genes of a sequence), `writing` (the files), `fit` (weights by validation chromosomes), `stored`
(weights in a bundle).

For genes with one intron: `splice_sites` (learnt from an annotation), `spliced` (frames of two exons),
`spliced_candidates` (with their scores), `splice_fit` (what an intron is worth, by training chromosomes).
"""
