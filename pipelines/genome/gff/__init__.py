"""Files of nine columns, GFF3, GTF, GFF2 and their mixtures: their rows, attributes and genes."""
