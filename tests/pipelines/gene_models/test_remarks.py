import pytest

from pipelines.gene_models.remarks import Remark, remarks_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ID=rna-1;Parent=gene-1;tag=MANE Select;transcript_id=NM_1.1", {"MANE_Select"}),
        ("ID=rna-1;tag=RefSeq Select", {"RefSeq_Select"}),
        ("ID=transcript:1;tag=basic,Ensembl_canonical,MANE_Select;version=2", {"Ensembl_canonical", "MANE_Select"}),
        ('gene_id "g"; tag "basic"; tag "Ensembl_canonical"; tag "MANE_Plus_Clinical";', {"Ensembl_canonical"}),
        ("ID=cds-1;exception=ribosomal slippage;gbkey=CDS", {"ribosomal_slippage"}),
        ('gene_id "g"; exception "trans-splicing";', {"trans_splicing"}),
        ("ID=gene-x;exception=trans-splicing;part=1/2", {"trans_splicing"}),
        ("ID=cds-1;exception=reasons given in citation;partial=true", {"exception", "partial"}),
        ("ID=cds-1;ribosomal_slippage=true", {"ribosomal_slippage"}),
        ("ID=gene-1;gene_biotype=pseudogene;pseudo=true", {"pseudo"}),
        ('gene_id "g"; pseudo "true"; gbkey "Gene";', {"pseudo"}),
        ('gene_id "g"; transcript_biotype "nonsense_mediated_decay";', {"decay"}),
        ("ID=transcript:1;biotype=non_stop_decay", {"decay"}),
        ("ID=1_1;partial=00;start_type=ATG", set()),
        ("ID=1_1;partial=10", {"partial"}),
        ("ID=g;description=pseudouridine synthase%3B partial suppressor of slippage and splicing", set()),
        ('gene_id "g"; description "the part of an exception";', set()),
        ("ID=g;Name=a", set()),
    ],
)
def test_remarks_are_read_from_every_dialect(text: str, expected: set[Remark]) -> None:
    assert remarks_of(text) == expected
