"""The verbs of the command line, one module each: its arguments, and one call of a package."""

VERBS = {
    "demo": "run every step on a small real genome, in a few minutes",
    "init": "write an experiment for your genomes or sequences, with a split that fits",
    "build": "build a token dataset from genomes (FASTA + GFF3)",
    "inspect": "show what is in a dataset, and whether trivial rules solve it",
    "memory": "show whether training fits into memory, and the largest token budget",
    "embed": "train k-mer vectors on their own, for model.embedding_file",
    "train": "train a model on a dataset, with one or several workers",
    "tune": "search for the best configuration, checking memory before each trial",
    "evaluate": "compute metrics of models on a split, with confidence intervals and trivial rules",
    "predict": "score intervals of a genome, or sequences, with a trained model",
    "scan": "find genes in a whole genome with a trained model",
    "annotate": "find the gene models of a whole genome with a trained model",
    "models": "list the trained models that come with raygene, and show their cards",
    "compare": "compare called genes, of any program, with an annotation",
    "profile": "show where a training step spends its time, with a trace",
    "doctor": "check this machine or a cluster, and say what to fix",
    "submit": "run any other verb as a job of a Ray cluster; list, follow and stop jobs",
}
"""Each with what it does, in the order of a user's work, which is that of `raygene --help`."""
