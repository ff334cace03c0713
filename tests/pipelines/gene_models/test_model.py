"""Introns are what lies between exons that do not touch."""

from pipelines.gene_models.model import Transcript


def test_introns_lie_between_exons() -> None:
    transcript = Transcript("t", exons=((0, 10), (20, 30), (45, 50)), cds=((5, 10), (20, 25)))
    assert transcript.introns == ((10, 20), (30, 45))
    assert transcript.coding_introns == ((10, 20),)
    assert (transcript.start, transcript.end) == (0, 50)


def test_exons_that_touch_have_no_intron_between_them() -> None:
    assert Transcript("t", exons=((0, 10), (10, 12), (20, 30))).introns == ((12, 20),)
