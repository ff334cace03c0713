"""The sections of an experiment that determine a dataset's content, as typed models.

The names of fields are public: they are the keys of the YAML file and the flags of the command line.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipelines import structure_config
from pipelines.documents.yaml_reader import PlainFloat
from pipelines.errors import UsageError
from pipelines.section import LATER as LATER
from pipelines.section import MAX_WHOLE as MAX_WHOLE
from pipelines.section import PATH as PATH
from pipelines.section import Section as Section
from pipelines.section import accepts as accepts
from pipelines.structure_config import LabelsConfig, Task, WindowConfig

TASK = Field(
    default=structure_config.RECOGNISE,
    description="what a model tells: recognise = whether an interval is a gene, structure = the state of every base, "
    "classify = the class of a labelled sequence",
)

_MAX_SHOWN = 80
# The type of an error of a whole experiment that is about one key.
_WITH_KEY = "with_key"
_UNION_BRANCH = re.compile(r"\[|^(constrained-)?(float|int|str)$")


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _as_name(item: Any) -> str:
    """A name as it was written."""
    if isinstance(item, PlainFloat):
        return item.text
    if isinstance(item, str | int) and not isinstance(item, bool):
        return str(item)
    if isinstance(item, bool | float):
        raise ValueError(f"{item!r} in place of a name; if it is one, quote it")
    if item is None:
        raise ValueError("null or nothing in place of a name; if it is one, quote it")
    raise ValueError("a list or mapping in place of a name; give names in one list")


def _as_names(value: Any) -> list[str]:
    return [_as_name(item) for item in _as_list(value)]


def _as_share_or_list(value: Any) -> Any:
    """Normalise a share to a number below 1, and names to a list of text.

    A whole number of 1 or more is the name of a chromosome, and so is an unquoted 3.10 in a list.
    """
    is_list = isinstance(value, list | tuple)
    items = list(value) if is_list else [value]
    numbers = [item for item in items if isinstance(item, float) and not _is_name(item, is_listed=is_list)]
    if numbers:
        if len(items) > 1:
            raise ValueError("a share is a single number; to name a chromosome with a decimal point, quote it")
        if numbers[0] >= 1:
            raise ValueError("a share must be below 1; to name a chromosome with a decimal point, quote it")
        if is_list and isinstance(numbers[0], PlainFloat):
            raise ValueError(
                f"[{numbers[0]}] could be a share or a name; write a share without brackets, or quote a name"
            )
        return numbers[0]
    is_name = is_list or isinstance(value, str | PlainFloat) or (type(value) is int and value >= 1)
    return _as_names(items) if is_name else value


def _is_name(number: float, *, is_listed: bool) -> bool:
    """Whether an unquoted fraction in place of a share or names can only be a name."""
    return isinstance(number, PlainFloat) and number >= 1 and (is_listed or "." not in number.text)


Names = Annotated[list[str], BeforeValidator(_as_names)]
CLASSES = Field(
    default=None,
    description="classes of labelled sequences, in order (task classify; default: all labels, sorted)",
    min_length=2,
)
ShareOrList = Annotated[
    Annotated[float, Field(ge=0, lt=1)] | list[str],
    BeforeValidator(_as_share_or_list),
]

Kind = Literal["shuffle", "dinucleotide", "antisense", "partial"]
KINDS: tuple[Kind, ...] = ("shuffle", "dinucleotide", "antisense", "partial")


def _as_parts(value: Any) -> Any:
    """Normalise kinds of negatives to a mapping of kind to part, in the order of `KINDS`.

    Accepts `shuffle`, `[shuffle, antisense:0.5]` and `{shuffle: 2, antisense: 1}`.
    """
    parts: dict[str, Any] = {}
    for item in [value] if isinstance(value, str | Mapping) else value if isinstance(value, list | tuple) else []:
        for kind, part in item.items() if isinstance(item, Mapping) else [str(item).partition(":")[::2]]:
            if kind in parts:
                raise ValueError(f"{kind} is listed twice")
            if kind not in KINDS:
                near = difflib.get_close_matches(str(kind), KINDS, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(KINDS)}"
                raise ValueError(f"unknown kind of negatives {shortened(kind)}; {hint}")
            parts[kind] = 1.0 if part == "" else part
    return {kind: parts[kind] for kind in KINDS if kind in parts} if parts else value


Parts = Annotated[
    dict[Kind, Annotated[float, Field(gt=0)]],
    Field(min_length=1),
    BeforeValidator(_as_parts),
]

GENE_LIKE = ["gene", "*_gene", "pseudogene", "mRNA", "*RNA", "*transcript", "CDS", "exon"]


class SourceConfig(Section):
    """One annotated genome (fasta and annotation) or a collection of labelled sequences.

    A collection has either `sequences`, which are split, or `train`, `validation` and optionally `test`.
    """

    genome: str = Field(
        description="short name of the genome or collection, unique in the experiment", pattern=r"^[A-Za-z0-9._-]+$"
    )
    fasta: str | None = Field(default=None, description="FASTA file, plain or compressed", json_schema_extra=PATH)
    annotation: str | None = Field(
        default=None, description="GFF3, GTF or BED file, plain or compressed", json_schema_extra=PATH
    )
    feature_types: Names = Field(
        default=["gene"],
        description="values of GFF3 or GTF column 3 taken as genes, matched without case",
        min_length=1,
    )
    span: Literal["gene", "mrna", "cds"] = Field(
        default="gene",
        description="what of a gene is the gene: gene = its row, mrna = from the first to the last base of its mRNAs, "
        "cds = of their coding sequence, without untranslated ends",
        json_schema_extra=LATER,
    )
    biotypes: Names | None = Field(
        default=None,
        description="biotypes of genes to take, such as protein_coding, matched without case (default: all)",
    )
    chromosomes: Names | None = Field(
        default=None,
        description="FASTA sequences to use, by name or as one /regular expression/ (default: all that have a gene)",
    )
    min_length: int = Field(default=0, description="shortest FASTA sequence to use, bases", ge=0)
    first: int | None = Field(default=None, description="use only this many FASTA sequences, the first ones", ge=1)
    aliases: str | None = Field(
        default=None,
        description="other names of FASTA sequences: two columns (other name, FASTA name) or an NCBI assembly report",
        json_schema_extra=PATH,
    )
    ignore_chr: bool = Field(default=False, description="treat chr1 and 1 as the same sequence")
    exclude: str | None = Field(
        default=None,
        description="BED file of intervals that no negative may overlap (task structure: that get no labels)",
        json_schema_extra=PATH,
    )
    genetic_code: int = Field(
        default=1,
        description="number of the NCBI table by which codons are read (task structure)",
        ge=1,
        json_schema_extra=LATER,
    )
    sequences: str | None = Field(
        default=None,
        description="labelled sequences to split: CSV or TSV with columns sequence and label, or FASTA with labels",
        json_schema_extra=PATH,
    )
    train: str | None = Field(default=None, description="labelled sequences of the train split", json_schema_extra=PATH)
    validation: str | None = Field(
        default=None, description="labelled sequences of the validation split", json_schema_extra=PATH
    )
    test: str | None = Field(default=None, description="labelled sequences of the test split", json_schema_extra=PATH)
    labels: str | None = Field(
        default=None,
        description="file of two columns (name, label) for labelled sequences in FASTA; 1 is a gene, 0 is not (task "
        "classify: names or numbers of classes)",
        json_schema_extra=PATH,
    )

    @property
    def labelled(self) -> bool:
        """Whether this is a collection of labelled sequences rather than a genome."""
        return self.fasta is None

    @model_validator(mode="after")
    def _one_kind(self) -> SourceConfig:
        genome = self.fasta is not None and self.annotation is not None
        has_splits = self.train is not None and self.validation is not None
        collection = self.sequences is not None or has_splits
        if genome == collection or (self.fasta is None) != (self.annotation is None):
            raise ValueError(
                f"{self.genome} needs fasta and annotation, or else sequences, or else train, validation and test"
            )
        if self.sequences is not None and (self.train or self.validation or self.test):
            raise ValueError(f"{self.genome} has both sequences to split and files of splits; keep one of the two")
        return self


class NegativesConfig(Section):
    """Non-gene intervals: how they are made and which properties of genes they match."""

    kinds: Parts = Field(
        default={"shuffle": 1.0},
        description="kinds of negatives, with their parts (shuffle:2 antisense:1): shuffle = placed at random outside "
        "gene-like features, dinucleotide = the gene itself, shuffled so that its dinucleotides are kept, "
        "antisense = the gene on its other strand, partial = across an edge of the gene, a quarter to three quarters "
        "inside",
    )
    unplaced: Literal["shorten", "drop-pair", "keep"] = Field(
        default="shorten",
        description="what to do with a gene whose negative fits nowhere: shorten = crop the pair until it fits, "
        "drop-pair = drop the gene too, keep = keep the gene without a negative",
    )
    match: Annotated[list[Literal["length", "gc", "soft_masked"]], BeforeValidator(_as_list)] = Field(
        default=["length"],
        description="what a shuffled negative has in common with its gene: length (always), gc, soft_masked (shares of "
        "bases)",
    )
    candidates: int = Field(
        default=200, description="positions drawn for each gene, from which a match is chosen", ge=2, le=1000
    )
    tolerance: float = Field(
        default=0.02,
        description="largest difference of a matched share; a gene without such a match is unplaced",
        gt=0,
    )
    ratio: float = Field(default=1.0, description="negatives per gene", gt=0, le=10)
    flank: int = Field(default=0, description="bases kept clear on both sides of gene-like features", ge=0)
    exclude_types: Names = Field(
        default=GENE_LIKE,
        description="GFF3 or GTF types that a negative may not overlap; * stands for any letters, matched without case",
    )
    min_n_run: int = Field(default=10, description="shortest run of N, in bases, that a negative may not overlap", ge=1)
    seed: int = Field(default=0, description="seed of crops and placements", ge=0)


class CropConfig(Section):
    """Windows cut out of genes, so that a model cannot recognise genes by their ends and lengths."""

    length: int | None = Field(default=None, description="longest window, bases (default: whole genes)", ge=20)
    exact: bool = Field(default=False, description="every window has exactly this length; shorter genes are dropped")
    position: Literal["random", "centre"] = Field(default="random", description="where in the gene the window lies")
    margin: int = Field(
        default=6,
        description="bases at both ends of a gene that no window contains (the start and stop codons)",
        ge=0,
    )

    per_gene: int = Field(
        default=1,
        description="most windows of a gene: as many as it has room for side by side; each has its own negatives",
        ge=1,
        le=1000,
        json_schema_extra=LATER,
    )

    @model_validator(mode="after")
    def _need_a_length(self) -> CropConfig:
        if self.exact and self.length is None:
            raise ValueError("exact needs crop.length")
        if self.per_gene > 1 and self.length is None:
            raise ValueError("per_gene needs crop.length: a whole gene is one window")
        return self


class TokenizerConfig(Section):
    """k-mer tokens."""

    model_config = ConfigDict(populate_by_name=False)

    k: int = Field(default=6, description="bases per k-mer", ge=1, le=10)
    stride: int = Field(default=3, description="bases from one k-mer to the next, at most k", ge=1, le=10)
    tail: Literal["anchor", "drop", "partial"] = Field(
        default="anchor",
        description="bases after the last full stride: anchor = one more k-mer flush with the end, drop = no token, "
        "partial = a token of fewer than k bases",
    )
    vocabulary: Literal["complete", "observed"] = Field(
        default="complete",
        description="complete = all 4^k k-mers, observed = those that occur in train; others become <unk>",
    )
    min_count: int = Field(default=1, description="occurrences in train that a k-mer needs to be observed", ge=1)
    warn_unknown: float = Field(
        default=0.1,
        description="share of <unk> tokens of a source from which on build warns; it changes no dataset",
        ge=0,
        le=1,
    )
    max_unknown: float = Field(
        default=0.5,
        description="share of <unk> tokens of a source above which build ends in an error; it changes no dataset",
        ge=0,
        le=1,
    )
    reuse: str | None = Field(
        default=None,
        alias="from",
        description="a dataset, bundle or embedding file whose tokenizer is used unchanged",
        json_schema_extra=PATH,
    )

    @model_validator(mode="before")
    @classmethod
    def _reused_or_described(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("from") is None:
            return values
        if conflicting := [key for key in ("k", "stride", "tail", "vocabulary", "min_count") if key in values]:
            raise ValueError(
                f"from and {', '.join(conflicting)} are both given; a reused tokenizer has its own, so leave one out"
            )
        return values

    @model_validator(mode="after")
    def _stride_within_k(self) -> TokenizerConfig:
        if self.stride > self.k:
            raise ValueError(
                f"stride {self.stride} is above k {self.k} and would skip bases; choose a stride of 1 to {self.k}"
            )
        return self


class SplitConfig(Section):
    """How intervals are divided into train, validation and test."""

    by: Literal["chromosome", "block", "region", "genome", "family", "random"] = Field(
        default="chromosome",
        description="what is kept in one split: chromosome = same-named chromosomes of all genomes (genomes of one or "
        "two sequences are cut into blocks), block = contiguous blocks of every chromosome, region = the listed "
        "stretches of chromosomes, genome = whole genomes, family = overlapping intervals and similar ones of all "
        "genomes, random = overlapping intervals only",
    )
    validation: ShareOrList = Field(
        default=0.1,
        description="a share of all intervals (of the genes, for blocks), or a list of chromosomes (of genomes if by "
        "is genome, of regions such as chr1:24000001-30427671 if by is region)",
    )
    test: ShareOrList = Field(
        default=0.1,
        description="a share of all intervals (of the genes, for blocks), or a list of chromosomes (of genomes if by "
        "is genome, of regions such as chr1:24000001-30427671 if by is region)",
    )
    identity: float = Field(
        default=0.9,
        description="matches per base at which intervals are similar if by is family, estimated from shared 21-mers",
        ge=0.8,
        le=1,
    )
    seed: int = Field(default=0, description="seed of the choice when shares are given", ge=0)

    @model_validator(mode="after")
    def _shares_leave_train(self) -> SplitConfig:
        shares = [share for share in (self.validation, self.test) if isinstance(share, float)]
        if sum(shares) >= 1:
            raise ValueError(f"validation and test add up to {sum(shares):g}, which leaves nothing for train")
        if self.by in {"block", "family", "random"} and len(shares) < 2:
            raise ValueError(f"by: {self.by} needs shares; give validation and test as numbers such as 0.1")
        if self.by == "region" and any(shares):
            raise ValueError(
                "by: region needs lists; give validation and test as regions such as chr1:24000001-30427671, or [] for "
                "none"
            )
        if self.by == "region" and not (self.validation or self.test):
            raise ValueError("by: region lists no region; give validation or test such as chr1:24000001-30427671")
        return self


class DatasetConfig(Section):
    """Everything that determines the bytes of a token dataset, apart from its input files.

    Sections and keys that its task does not read may not be given, and are not dumped.
    """

    task: Task = TASK
    classes: Names | None = CLASSES
    sources: list[SourceConfig] = Field(min_length=1)
    negatives: NegativesConfig = NegativesConfig()
    crop: CropConfig = CropConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    split: SplitConfig = SplitConfig()
    labels: LabelsConfig = LabelsConfig()
    window: WindowConfig = WindowConfig()

    @model_serializer(mode="wrap")
    def _of_the_task(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return structure_config.without_meaningless(dump(self))

    @model_validator(mode="after")
    def _genomes_unique(self) -> DatasetConfig:
        names = Counter(source.genome for source in self.sources)
        if repeated := sorted(name for name, count in names.items() if count > 1):
            raise ValueError(f"sources: genome name {repeated[0]} is used twice; give each genome its own name")
        return self

    @model_validator(mode="after")
    def _task_reads_what_is_given(self) -> DatasetConfig:
        if problem := next(self._problems(), None):
            key, text = problem
            raise PydanticCustomError(_WITH_KEY, "{problem}", {"problem": text, "key": key})
        return self

    def _problems(self) -> Iterator[tuple[str, str]]:
        """Keys that the task does not read, each with the reason."""
        if self.task == structure_config.STRUCTURE:
            yield from self._structure_problems()
        else:
            yield from self._other_problems()
        if self.task == structure_config.CLASSIFY:
            yield from self._class_problems()
        elif self.classes is not None:
            yield structure_config.CLASSES, "only task classify reads it; set task: classify, or leave it out"

    def _class_problems(self) -> Iterator[tuple[str, str]]:
        """What the task classify cannot use."""
        for number, source in enumerate(self.sources):
            if not source.labelled:
                yield f"sources.{number}", "an annotation gives no classes; task classify needs labelled sequences"
        for name, reason in structure_config.NOT_OF_CLASSES.items():
            if given := sorted(getattr(self, name).model_fields_set):
                yield f"{name}.{given[0]}", f"task classify does not read it: {reason}; leave section {name} out"

    def _other_problems(self) -> Iterator[tuple[str, str]]:
        """Keys that only the task structure reads."""
        fix = "only task structure reads it; set task: structure, or leave it out"
        for name in structure_config.OWN_SECTIONS:
            if given := sorted(getattr(self, name).model_fields_set):
                yield f"{name}.{given[0]}", fix
        for number, source in enumerate(self.sources):
            for key in structure_config.OWN_SOURCE_KEYS:
                if key in source.model_fields_set:
                    yield f"sources.{number}.{key}", fix

    def _structure_problems(self) -> Iterator[tuple[str, str]]:
        """What the task structure cannot use, each with the reason."""
        for name, reason in structure_config.OTHER_SECTIONS.items():
            if given := sorted(getattr(self, name).model_fields_set):
                yield f"{name}.{given[0]}", f"task structure does not read it: {reason}; leave section {name} out"
        for number, source in enumerate(self.sources):
            if source.labelled:
                yield (
                    f"sources.{number}",
                    "labelled sequences say nothing of single bases; task structure needs genomes",
                )
            for key, reason in structure_config.OTHER_SOURCE_KEYS.items():
                if key in source.model_fields_set:
                    yield f"sources.{number}.{key}", f"task structure does not read it: {reason}; leave it out"
        if self.tokenizer.reuse is None and (problem := structure_config.tokenizer_problem(self.tokenizer)):
            yield f"tokenizer.{problem[0]}", problem[1]
        if self.tokenizer.vocabulary != "complete":
            yield (
                "tokenizer.vocabulary",
                (
                    "observed: task structure reads windows on both strands, and the reverse complement of a k-mer may "
                    "not be among those observed; leave it out"
                ),
            )
        if because := structure_config.OTHER_SPLITS.get(self.split.by):
            yield "split.by", f"{self.split.by}: {because}; choose chromosome, block, region or genome"


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], values: Mapping[str, Any], origin: str) -> Model:
    """Build a typed configuration from plain values.

    Args:
        model: the section or experiment to build.
        values: nested mapping of keys to values.
        origin: the file (or "command line") to name in an error.

    Raises:
        UsageError: an unknown key (with the nearest known one), an earlier name of a key (with the current one), a
            wrong type or a value out of range. Its `key` is the dotted key, its `code` one of `unknown-key`,
            `renamed-key`, `missing-key` and `invalid-value`.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _usage_error(model, error, origin) from error


def _usage_error(model: type[BaseModel], error: ValidationError, origin: str) -> UsageError:
    first = error.errors()[0]
    # pydantic's locations also contain the branches of unions, which are not keys.
    location = [part for part in first["loc"] if not (isinstance(part, str) and _UNION_BRANCH.search(part))]
    key = ".".join(str(part) for part in location) or "configuration"
    if first["type"] == "extra_forbidden":
        # The last part is the key itself, whatever it looks like.
        sections = location[:-1] if location[-1:] == [first["loc"][-1]] else location
        return _unknown_key(model, [*sections, first["loc"][-1]], origin)
    if first["type"] == "missing":
        return UsageError(
            f"{origin}: {key}: missing", f"set it in the YAML file or as --{key}", code="missing-key", key=key
        )
    if first["type"] == _WITH_KEY:
        key = first["ctx"]["key"]
        return UsageError(f"{origin}: {key}: {first['msg']}", code="invalid-value", key=key)
    value = first.get("input")
    message = first["msg"].removeprefix("Value error, ")
    if isinstance(value, str | int | float | bool):
        message = f"{shortened(value)}: {message[0].lower() + message[1:]}"
    if first["type"] == "string_type" and value is None:
        message += "; if it is a name, quote it"
    return UsageError(f"{origin}: {key}: {message}", code="invalid-value", key=key)


def shortened(value: Any) -> str:
    """A value as in Python, cut where it is longer than a line of a message."""
    try:
        text = value.text if isinstance(value, PlainFloat) else repr(value)
    except ValueError:  # Python refuses to write whole numbers of more than 4,300 digits.
        return "a number of thousands of digits"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _unknown_key(model: type[BaseModel], location: list[int | str], origin: str) -> UsageError:
    key, name = ".".join(str(part) for part in location), str(location[-1])
    section = _section_at(model, location[:-1])
    if current := renamed_key(section, name):
        new_key = ".".join([*map(str, location[:-1]), current])
        return UsageError(f"{origin}: {key}: renamed", f"write {new_key}", code="renamed-key", key=key)
    known = [field.alias or field_name for field_name, field in section.model_fields.items()]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
    return UsageError(f"{origin}: {key}: unknown key", hint, code="unknown-key", key=key)


def renamed_key(section: type[BaseModel], key: str) -> str | None:
    """The current name of a key, if `key` is an earlier name that the section had for it; else None."""
    return section.RENAMED.get(key) if issubclass(section, Section) else None


def _section_at(model: type[BaseModel], location: list[int | str]) -> type[BaseModel]:
    """The section that the keys of a location lead to; list positions are skipped."""
    current: type[BaseModel] = model
    for part in location:
        if isinstance(part, int):
            continue
        for name, field in current.model_fields.items():
            if part in (name, field.alias):
                inner = list(_models_in(field.annotation))
                if inner:
                    current = inner[0]
    return current


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]
